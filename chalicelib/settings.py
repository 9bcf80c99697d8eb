"""What the operator decides, read once from the environment and frozen. No other module reads `os.environ`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib import variables
from chalicelib.identifiers import FIPS_HOME_REGIONS
from chalicelib.variables import variable, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.identifiers import RoleArn


class SettingsError(Exception):
    """The environment can't be used; the message lists everything that is wrong with it, not only the first thing."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings can't be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is asked of a bearer token. Issuers differ in the claims that they use, so the claims are settings."""

    issuer: str = field(metadata=variable("JWT_ISSUER", str, "who must have issued a token: its `iss`."))
    audience: str = field(metadata=variable("JWT_AUDIENCE", str, "for whom a token must have been issued."))
    audience_claim: str = field(
        default="aud",
        metadata=variable(
            "JWT_AUDIENCE_CLAIM", str, "which claim holds the audience; `client_id` in Cognito's access tokens."
        ),
    )
    tenant_claim: str = field(
        default="tenant", metadata=variable("JWT_TENANT_CLAIM", str, "which claim names the tenant.")
    )
    scopes_claim: str = field(
        default="scope",
        metadata=variable(
            "JWT_SCOPES_CLAIM",
            str,
            "which claim holds the scopes, a list or a text with spaces; Entra: `scp`, `roles`.",
        ),
    )
    scope_prefix: str = field(
        default="",
        metadata=variable(
            "JWT_SCOPE_PREFIX",
            str,
            "what is taken off each scope; Cognito's resource servers and Entra put one before.",
        ),
    )
    algorithms: tuple[str, ...] = field(
        default=("ES256", "RS256"),
        metadata=variable(
            "JWT_ALGORITHMS", variables.algorithms, "what may sign a token, with commas between; asymmetric ones alone."
        ),
    )
    jwks_url: str | None = field(
        default=None,
        metadata=variable("JWT_JWKS_URL", variables.jwks_url, "where the issuer's keys are; this or JWT_PUBLIC_KEY."),
    )
    public_key: str | None = field(
        default=None,
        metadata=variable("JWT_PUBLIC_KEY", variables.pem, "the issuer's one key, in PEM form; this or JWT_JWKS_URL."),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's decisions. Each field names its environment variable and says what it is for."""

    region: str = field(
        metadata=variable("AWS_REGION", variables.region, "where the table is and STS is called; Lambda sets it.")
    )
    table_name: str = field(metadata=variable("TABLE_NAME", variables.table_name, "the DynamoDB table."))
    service_role: RoleArn = field(
        metadata=variable(
            "SERVICE_ROLE_ARN", variables.role, "the role that the service runs as, which customers' policies name."
        )
    )
    tokens: TokenRules
    allowed_origin: str | None = field(
        default=None,
        metadata=variable(
            "ALLOWED_ORIGIN", variables.origin, "the one web origin that may call the API from a browser."
        ),
    )
    wizard_openers: tuple[str, ...] = field(
        default=(),
        metadata=variable(
            "WIZARD_OPENERS",
            variables.origins,
            "web origins, with commas between, that may frame or open the wizard and hand it a token by postMessage.",
        ),
    )
    wizard_fragment_token: bool = field(
        default=False,
        metadata=variable(
            "WIZARD_FRAGMENT_TOKEN",
            variables.switch,
            "on: the wizard takes a token from its address (#token=...) elsewhere than on the loopback too.",
        ),
    )
    connection_cache_seconds: int = field(
        default=10,
        metadata=variable(
            "CONNECTION_CACHE_SECONDS",
            whole_number(0, 60),
            "how long another process's change to a connection may go unseen here; at most 60.",
        ),
    )
    verification_settle_seconds: int = field(
        default=7,
        metadata=variable(
            "VERIFICATION_SETTLE_SECONDS",
            whole_number(0, 20),
            "how long one verification waits for IAM to make a change known; at most 20.",
        ),
    )
    reverify_hours: int = field(
        default=6,
        metadata=variable(
            "REVERIFY_HOURS",
            whole_number(0, 168),
            "how often each role is verified anew without being asked; 0 for never, at most 168.",
        ),
    )
    stream_max_seconds: int = field(
        default=600,
        metadata=variable(
            "STREAM_MAX_SECONDS",
            whole_number(1, 890),
            "the longest a streamed answer may take; at most 890, as Lambda and API Gateway end at 900.",
        ),
    )
    model_requests_per_minute: int | None = field(
        default=None,
        metadata=variable(
            "MODEL_REQUESTS_PER_MINUTE",
            whole_number(1, 1_000_000),
            "how many requests to models each tenant may make in a minute; without it none are counted.",
        ),
    )
    system_prompt: str | None = field(
        default=None,
        metadata=variable(
            "SYSTEM_PROMPT",
            variables.text(3000),
            "instructions of yours, placed before the messages of every chat; at most 3,000 characters, as Lambda takes"
            " 4 KB of variables.",
        ),
    )
    log_level: str = field(
        default="INFO", metadata=variable("LOG_LEVEL", variables.log_level, "DEBUG, INFO, WARNING or ERROR.")
    )
    proxy_url: str | None = field(
        default=None,
        metadata=variable(
            "PROXY_URL",
            variables.proxy_url,
            "an HTTP proxy on the way to AWS and to other providers' own hosts; the environment's proxy variables are"
            " not obeyed.",
        ),
    )
    built_in_model: str | None = field(
        default=None,
        metadata=variable(
            "BUILT_IN_MODEL",
            variables.bedrock_model,
            "a model or profile of Bedrock in your own account and region, for /v1/completions; you pay for it.",
        ),
    )
    completions_daily_tokens: int | None = field(
        default=None,
        metadata=variable(
            "COMPLETIONS_DAILY_TOKENS",
            whole_number(1, 10**12),
            "how many tokens of that model a tenant may use on a day in UTC; without it /v1/completions is off.",
        ),
    )
    openai_chat_models: tuple[str, ...] = field(
        default=(),
        metadata=variable(
            "OPENAI_CHAT_MODELS",
            variables.model_patterns,
            "names, with * for any part, in place of our list of OpenAI's standard chat models.",
        ),
    )
    use_fips: bool = field(
        default=False,
        metadata=variable(
            "USE_FIPS",
            variables.switch,
            "whether STS, DynamoDB and Bedrock are called at AWS's FIPS endpoints alone; regions without are refused.",
        ),
    )
    customer_templates: str | None = field(
        default=None,
        metadata=variable(
            "CUSTOMER_TEMPLATES",
            variables.s3_address,
            "the address in S3 of the role's templates, which customers can read; without it no quick-create link.",
        ),
    )
    local_addresses: Mapping[str, str] = field(
        default_factory=dict,
        metadata=variable(
            "LOCAL_ADDRESSES",
            variables.local_addresses,
            "other companies' hosts led to local fakes (`host=http://127.0.0.1:port`); never on Lambda.",
        ),
    )
    on_lambda: bool = False
    """Whether answers go through Lambda, in the forms that API Gateway asks of it. Lambda says so, not the operator."""
    aws_endpoint: str | None = None
    """Base address of a local AWS. It has no environment variable: a deployed service talks to AWS alone."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raises `SettingsError` with one list of all that is wrong."""
        source = os.environ if environ is None else environ
        problems: list[str] = []
        values = variables.read(cls, source, problems)
        rules = variables.read(TokenRules, source, problems)
        if bool(source.get("JWT_JWKS_URL")) == bool(source.get("JWT_PUBLIC_KEY")):
            problems.append("Set one of JWT_JWKS_URL and JWT_PUBLIC_KEY: where the keys are that sign the tokens.")
        if ("built_in_model" in values) != ("completions_daily_tokens" in values):
            # A model without a limit would be anyone's at the operator's cost.
            problems.append("Set both or neither of BUILT_IN_MODEL and COMPLETIONS_DAILY_TOKENS.")
        on_lambda = bool(source.get("AWS_LAMBDA_FUNCTION_NAME"))
        if values.get("local_addresses") and on_lambda:
            # Keys that tenants bring would be sent in clear to whatever listens there.
            problems.append("LOCAL_ADDRESSES is for a sandbox; a deployed service does not take it.")
        if values.get("use_fips") and values.get("region", "us-east-1") not in FIPS_HOME_REGIONS:
            regions = ", ".join(sorted(FIPS_HOME_REGIONS))
            problems.append(f"USE_FIPS: AWS has FIPS endpoints of STS and DynamoDB in {regions}, and not here.")
        if problems:
            raise SettingsError(problems)
        return cls(tokens=TokenRules(**rules), on_lambda=on_lambda, **values)
