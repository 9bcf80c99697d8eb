"""Settings: read once from an environment, and refused with one list of everything that is wrong with it."""

from __future__ import annotations

import pytest

from chalicelib.identifiers import RoleArn
from chalicelib.settings import Settings, SettingsError, TokenRules

PEM = "-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----"
ENOUGH = {
    "AWS_REGION": "eu-central-1",
    "TABLE_NAME": "rolecall-prod",
    "SERVICE_ROLE_ARN": "arn:aws:iam::111122223333:role/rolecall-prod",
    "JWT_ISSUER": "https://login.example.com/",
    "JWT_AUDIENCE": "rolecall",
    "JWT_JWKS_URL": "https://login.example.com/keys",
}


def test_the_required_variables_are_enough() -> None:
    """What has a safe default need not be set."""
    assert Settings.from_environment(ENOUGH) == Settings(
        region="eu-central-1",
        table_name="rolecall-prod",
        service_role=RoleArn("aws", "111122223333", "/", "rolecall-prod"),
        tokens=TokenRules("https://login.example.com/", "rolecall", jwks_url="https://login.example.com/keys"),
        allowed_origin=None,
        connection_cache_seconds=10,
        log_level="INFO",
        aws_endpoint=None,
    )


def test_every_variable_is_read() -> None:
    """Each setting has a variable that changes it, but for the local AWS, which a deployed service can't be given."""
    environ = {name: text for name, text in ENOUGH.items() if name != "JWT_JWKS_URL"} | {
        "JWT_PUBLIC_KEY": PEM,
        "JWT_ALGORITHMS": "RS256, EdDSA",
        "JWT_AUDIENCE_CLAIM": "client_id",
        "JWT_TENANT_CLAIM": "https://example.com/tenant",
        "JWT_SCOPES_CLAIM": "scp",
        "JWT_SCOPE_PREFIX": "rolecall/",
        "ALLOWED_ORIGIN": "https://app.example.com",
        "WIZARD_OPENERS": "https://app.example.com, http://localhost:3000",
        "WIZARD_FRAGMENT_TOKEN": "on",
        "CONNECTION_CACHE_SECONDS": "0",
        "LOG_LEVEL": "WARNING",
        "MODEL_REQUESTS_PER_MINUTE": "600",
        "SYSTEM_PROMPT": "Be kind.",
        "BUILT_IN_MODEL": "eu.amazon.nova-micro-v1:0",
        "COMPLETIONS_DAILY_TOKENS": "100000",
        "PROXY_URL": "http://user:secret@proxy.example.com:3128",
        "OPENAI_CHAT_MODELS": "gpt-4o, gpt-9*",
        "LOCAL_ADDRESSES": "api.openai.com=http://127.0.0.1:9001,x.openai.azure.com=http://127.0.0.1:9002",
    }

    assert Settings.from_environment(environ) == Settings(
        region="eu-central-1",
        table_name="rolecall-prod",
        service_role=RoleArn("aws", "111122223333", "/", "rolecall-prod"),
        tokens=TokenRules(
            "https://login.example.com/",
            "rolecall",
            audience_claim="client_id",
            tenant_claim="https://example.com/tenant",
            scopes_claim="scp",
            scope_prefix="rolecall/",
            algorithms=("RS256", "EdDSA"),
            public_key=PEM.replace("\\n", "\n"),
        ),
        allowed_origin="https://app.example.com",
        wizard_openers=("https://app.example.com", "http://localhost:3000"),
        wizard_fragment_token=True,
        connection_cache_seconds=0,
        log_level="WARNING",
        model_requests_per_minute=600,
        system_prompt="Be kind.",
        built_in_model="eu.amazon.nova-micro-v1:0",
        completions_daily_tokens=100_000,
        proxy_url="http://user:secret@proxy.example.com:3128",
        openai_chat_models=("gpt-4o", "gpt-9*"),
        local_addresses={
            "api.openai.com": "http://127.0.0.1:9001",
            "x.openai.azure.com": "http://127.0.0.1:9002",
        },
    )


def test_lambda_says_that_it_is_lambda() -> None:
    """The one variable that Lambda sets by itself decides the form of answers; nothing else does."""
    assert not Settings.from_environment(ENOUGH).on_lambda
    assert Settings.from_environment(ENOUGH | {"AWS_LAMBDA_FUNCTION_NAME": "api"}).on_lambda


def test_an_empty_environment_lists_all_that_is_missing() -> None:
    """An operator mends everything at once instead of one restart for each variable."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({})

    assert refused.value.problems == (
        "AWS_REGION is not set.",
        "TABLE_NAME is not set.",
        "SERVICE_ROLE_ARN is not set.",
        "JWT_ISSUER is not set.",
        "JWT_AUDIENCE is not set.",
        "Set one of JWT_JWKS_URL and JWT_PUBLIC_KEY: where the keys are that sign the tokens.",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("AWS_REGION", "us-east-1.evil.com", id="a region that is a host name"),
        pytest.param("TABLE_NAME", "a b", id="a table with a space"),
        pytest.param("SERVICE_ROLE_ARN", "arn:aws:iam::111122223333:user/x", id="a user for a role"),
        pytest.param("JWT_JWKS_URL", "http://login.example.com/keys", id="keys without TLS"),
        pytest.param("JWT_ALGORITHMS", "HS256", id="a shared secret"),
        pytest.param("JWT_ALGORITHMS", "none", id="no signature"),
        pytest.param("JWT_ALGORITHMS", "RS256,", id="an empty algorithm"),
        pytest.param("JWT_PUBLIC_KEY", "ssh-rsa AAAA", id="a key in another form"),
        pytest.param("ALLOWED_ORIGIN", "*", id="any origin"),
        pytest.param("ALLOWED_ORIGIN", "https://app.example.com/", id="an origin with a path"),
        pytest.param("ALLOWED_ORIGIN", "http://app.example.com", id="an origin without TLS"),
        pytest.param("WIZARD_OPENERS", "https://app.example.com,*", id="any opener of the wizard"),
        pytest.param("WIZARD_OPENERS", "https://app.example.com 'unsafe'", id="an opener that ends its directive"),
        pytest.param("WIZARD_FRAGMENT_TOKEN", "yes", id="a switch that is neither on nor off"),
        pytest.param("CONNECTION_CACHE_SECONDS", "61", id="a cache of more than a minute"),
        pytest.param("CONNECTION_CACHE_SECONDS", "-1", id="a negative time"),
        pytest.param("CONNECTION_CACHE_SECONDS", "ten", id="a word for a number"),
        pytest.param("LOG_LEVEL", "verbose", id="no such level"),
        pytest.param("MODEL_REQUESTS_PER_MINUTE", "0", id="no requests"),
        pytest.param("SYSTEM_PROMPT", "x" * 3001, id="a prompt that Lambda has no room for"),
        pytest.param("SYSTEM_PROMPT", " ", id="a blank prompt"),
        pytest.param("BUILT_IN_MODEL", "nova", id="a model without its maker"),
        pytest.param("BUILT_IN_MODEL", "arn:aws:bedrock:eu-west-1:1:x/y", id="an ARN, that no policy of ours allows"),
        pytest.param("COMPLETIONS_DAILY_TOKENS", "0", id="no tokens"),
        pytest.param("PROXY_URL", "proxy.example.com", id="a proxy without scheme and port"),
        pytest.param("PROXY_URL", "http://proxy.example.com:3128/a b", id="a proxy with a path"),
        pytest.param("OPENAI_CHAT_MODELS", "gpt-4o,,x", id="an empty name of a model"),
        pytest.param("OPENAI_CHAT_MODELS", "gpt 4o", id="a name of a model with a space"),
        pytest.param("CUSTOMER_TEMPLATES", "https://evil.example/x", id="templates that are not in S3"),
        pytest.param("CUSTOMER_TEMPLATES", "http://b.s3.us-east-1.amazonaws.com/x", id="templates without TLS"),
        pytest.param("USE_FIPS", "yes", id="a switch that is neither on nor off"),
        pytest.param("LOCAL_ADDRESSES", "api.openai.com=http://10.0.0.1:80", id="a fake that is not on the loopback"),
        pytest.param("LOCAL_ADDRESSES", "api.openai.com", id="a host without an address"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(name: str, text: str) -> None:
    """The service does not start with a setting that it would have to guess at."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(ENOUGH | {name: text})

    assert any(problem.startswith(f"{name}: ") for problem in refused.value.problems)


def test_a_deployed_service_leads_no_host_elsewhere() -> None:
    """On Lambda the keys that tenants bring go to the companies themselves, whatever the environment says."""
    local = {"LOCAL_ADDRESSES": "api.openai.com=http://127.0.0.1:9001"}
    assert Settings.from_environment(ENOUGH | local).local_addresses

    with pytest.raises(SettingsError, match="a deployed service does not take it"):
        Settings.from_environment(ENOUGH | local | {"AWS_LAMBDA_FUNCTION_NAME": "rolecall-prod"})


def test_fips_endpoints_are_used_where_there_are_such() -> None:
    """Elsewhere the hosts would not resolve; the service does not start, instead of calling the plain ones."""
    assert Settings.from_environment(ENOUGH | {"USE_FIPS": "on", "AWS_REGION": "us-gov-west-1"}).use_fips is True

    with pytest.raises(SettingsError, match="USE_FIPS: AWS has FIPS endpoints of STS and DynamoDB in us-east-1"):
        Settings.from_environment(ENOUGH | {"USE_FIPS": "on"})


@pytest.mark.parametrize("half", [{"BUILT_IN_MODEL": "amazon.nova-micro-v1:0"}, {"COMPLETIONS_DAILY_TOKENS": "5"}])
def test_a_model_of_the_operators_has_a_limit(half: dict[str, str]) -> None:
    """Without one it would be anyone's at the operator's cost; a limit of nothing is a mistake."""
    with pytest.raises(SettingsError, match="Set both or neither"):
        Settings.from_environment(ENOUGH | half)


def test_two_sources_of_keys_contradict_each_other() -> None:
    """A fixed key and a key set at once would leave open which one counts."""
    with pytest.raises(SettingsError, match="Set one of JWT_JWKS_URL and JWT_PUBLIC_KEY"):
        Settings.from_environment(ENOUGH | {"JWT_PUBLIC_KEY": PEM})
