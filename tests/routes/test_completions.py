"""The operator's model: fills a gap for whoever may, with the service's credentials, within a day's tokens."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import openai
import pytest
from chalice.test import Client

from chalicelib.routes import create_app
from chalicelib.services import Services
from sandbox.issuer import ALL_SCOPES
from tests.far_customer import Api

if TYPE_CHECKING:
    from sandbox.world import World

GAP = {"prompt": "def mill(river):\n    return ", "suffix": "\n\nprint(mill(3))", "max_tokens": 90}
PATH = "/v1/completions"


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give the API of a tenant without a connection."""
    return Api(world.gateway.url, world.issuer.token("gaps"))


class _Service:
    """Rolecall with other settings, and a clock that can be turned."""

    def __init__(self, world: World, **settings: Any) -> None:
        # Tomorrow at noon: the issuer's clock is the machine's, and no token is valid before it was made.
        self.now = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
        self._world = world
        session = world.accounts.service_session(world.aws.url, "us-east-1")
        changed = replace(world.settings, **settings)
        self._app = create_app(Services(changed, session=session, clock=lambda: self.now))

    def post(self, body: object, tenant: str, scopes: str = ALL_SCOPES) -> Any:
        headers = {"Authorization": f"Bearer {self._world.issuer.token(tenant, scopes=scopes, seconds=7 * 86400)}"}
        with Client(self._app) as client:
            return client.http.post(
                PATH, headers=headers | {"Content-Type": "application/json"}, body=json.dumps(body).encode()
            )


def test_openais_client_fills_a_gap(world: World, api: Api) -> None:
    """Whole and streamed, the same text; the model is the operator's, whatever name was sent."""
    with openai.OpenAI(base_url=f"{api.url}/v1", api_key=str(api.token), max_retries=0) as client:
        create: Any = client.completions.create
        whole = create(model="any", **GAP)
        chunks = list(create(model="any", stream=True, stream_options={"include_usage": True}, **GAP))

    assert whole.object == "text_completion"
    assert whole.model == world.settings.built_in_model
    assert (whole.choices[0].finish_reason, whole.choices[0].logprobs) == ("stop", None)
    assert "mill" in whole.choices[0].text
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_it_is_called_with_the_services_own_credentials(world: World, api: Api) -> None:
    """No role of a customer's is assumed; the header says whose credentials they were."""
    world.aws.calls.clear()
    answer = api.post(PATH, GAP)
    calls = [(call["service"], call["operation"], call["account"]) for call in world.aws.calls.rows()]

    assert (answer.status, answer.headers["Rolecall-Credential"]) == (200, "operator")
    assert ("bedrock-runtime", "Converse", world.accounts.service_role.account_id) in calls
    assert not [call for call in calls if call[1] == "AssumeRole" and call[2] != world.accounts.service_role.account_id]


KEYS = {
    "a key of a company's": {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": "sk-canary-4711"},
    "keys of AWS": {"Rolecall-AWS-Access-Key-Id": "AKIACANARY4711", "Rolecall-AWS-Secret-Access-Key": "sk-canary-4711"},
    "a connection": {"Rolecall-Connection": "sk-canary-4711"},
    "rubbish": {"Rolecall-Provider": "sk-canary-4711"},
}


@pytest.mark.parametrize("headers", KEYS.values(), ids=KEYS)
def test_keys_are_ignored_and_named(world: World, api: Api, headers: dict[str, str]) -> None:
    """They are not read, not sent on, and not repeated; the header says that they had no effect."""
    for fake in (world.providers.openai, world.providers.anthropic):
        fake.forget()
    answer = api.call("POST", PATH, GAP, headers=headers)

    assert answer.status == 200
    assert set(answer.headers["Rolecall-Ignored-Fields"].split(", ")) == {name.lower() for name in headers}
    assert world.providers.openai.calls() == world.providers.anthropic.calls() == []
    assert "canary" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_what_the_model_does_not_take_as_it_is_is_named(api: Api, streams: bool) -> None:
    """As in chats: whose temperature or stops were changed must learn why the text is as it is."""
    answer = api.post(PATH, {**GAP, "temperature": 1.7, "seed": 7, "stream": streams})

    assert answer.status == 200
    assert set(answer.headers["Rolecall-Ignored-Fields"].split(", ")) == {"seed", "temperature"}


BAD: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no prompt": ({}, "missing_field", "prompt"),
    "two prompts": ({"prompt": ["a", "b"]}, "invalid_type", "prompt"),
    "tokens": ({"prompt": [1, 2]}, "invalid_type", "prompt"),
    "nothing around the gap": ({"prompt": " ", "suffix": "\n"}, "invalid_value", "prompt"),
    "a number": ({"prompt": 5}, "invalid_type", "prompt"),
    "a book": ({"prompt": "x" * 100_001}, "invalid_value", "prompt"),
    "no tokens": ({"prompt": "a", "max_tokens": 0}, "invalid_value", "max_tokens"),
    "too many tokens": ({"prompt": "a", "max_tokens": 5000}, "invalid_value", "max_tokens"),
    "two answers": ({"prompt": "a", "n": 2}, "unsupported_parameter", "n"),
    "an echo": ({"prompt": "a", "echo": True}, "unsupported_parameter", "echo"),
    "log probabilities": ({"prompt": "a", "logprobs": 3}, "unsupported_parameter", "logprobs"),
    "options of no stream": ({"prompt": "a", "stream_options": {}}, "invalid_value", "stream_options"),
    "the best of two": ({"prompt": "a", "best_of": 2}, "unsupported_parameter", "best_of"),
}


@pytest.mark.parametrize(("body", "code", "param"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_at_its_place(api: Api, body: dict[str, Any], code: str, param: str | None) -> None:
    """And costs nothing of the day's tokens."""
    answer = api.post(PATH, body)

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, param)


def test_a_day_has_so_many_tokens(world: World) -> None:
    """What was used counts, not what was taken; the next day begins at nothing, and tenants do not share."""
    service = _Service(world, completions_daily_tokens=1000)
    used = service.post(GAP, "small").json_body["usage"]["total_tokens"]
    fitting = 0
    while (answer := service.post(GAP, "small")).status_code == 200 and fitting < 50:
        fitting += 1
    other = service.post(GAP, "smaller")
    service.now += timedelta(days=1)

    assert fitting >= 2
    assert used * (fitting + 1) > 300
    assert (answer.status_code, answer.json_body["error"]["code"]) == (429, "completion_tokens_used_up")
    assert answer.json_body["error"]["type"] == "insufficient_quota"
    assert answer.headers["Retry-After"] == str(12 * 3600)
    assert other.status_code == service.post(GAP, "small").status_code == 200


def test_the_days_first_call_is_bounded_as_any_other(world: World) -> None:
    """Where nothing was counted yet, there is nothing to compare; a call of more than the whole day is refused."""
    service = _Service(world, completions_daily_tokens=1000)
    answer = service.post({**GAP, "prompt": "x" * 50_000}, "greedy")

    assert (answer.status_code, answer.json_body["error"]["code"]) == (429, "completion_tokens_used_up")
    assert service.post(GAP, "greedy").status_code == 200


def test_a_call_that_fails_gives_its_tokens_back(world: World) -> None:
    """Refused before or cut within: what was not used can be used."""
    service = _Service(world, completions_daily_tokens=700)
    for stream in (False, True):
        for _ in range(3):
            operation = "ConverseStream" if stream else "Converse"
            fault = {
                "service": "bedrock-runtime",
                "operation": operation,
                "kind": "error",
                "code": "ValidationException",
            }
            world.aws.faults.add(fault)
            assert service.post({**GAP, "stream": stream}, "failing").status_code == 400

    assert service.post(GAP, "failing").status_code == 200


LOST: dict[str, tuple[bool, dict[str, Any]]] = {
    "too slow, whole": (False, {"kind": "slow", "seconds": 3}),
    "silent, streamed": (True, {"kind": "silence", "after_events": 0}),
}


@pytest.mark.parametrize(("stream", "fault"), LOST.values(), ids=LOST)
def test_a_call_whose_answer_was_lost_keeps_its_tokens(world: World, stream: bool, fault: dict[str, Any]) -> None:
    """The model may have answered, at the operator's expense: whoever makes calls time out had them for nothing."""
    service = _Service(world, completions_daily_tokens=700, stream_max_seconds=1)
    operation = "ConverseStream" if stream else "Converse"
    world.aws.faults.add({"service": "bedrock-runtime", "operation": operation, "times": 3, **fault})
    asked = {**GAP, "max_tokens": 200, "stream": stream}
    statuses = [service.post(asked, f"lost-{stream}").status_code for _ in range(2)]

    assert statuses == [502, 429]


def test_a_count_that_cant_be_written_takes_no_answer_away(world: World, api: Api) -> None:
    """The text is made and paid for; what was taken before it stays counted."""
    world.aws.calls.clear()
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "Converse", "kind": "slow", "seconds": 2})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(api.post, PATH, GAP)
        while not world.aws.calls.count("bedrock-runtime", "Converse"):
            assert not asked.done()
            time.sleep(0.01)
        gone = {"service": "dynamodb", "operation": "UpdateItem", "kind": "error", "code": "InternalServerError"}
        world.aws.faults.add({**gone, "times": 20})
        answer = asked.result()

    assert answer.status == 200
    assert answer.json["choices"][0]["text"]


def test_without_a_model_it_says_so(world: World) -> None:
    """501, for who may ask; who may not learns nothing of it."""
    service = _Service(world, built_in_model=None, completions_daily_tokens=None)
    off, refused = service.post(GAP, "t"), service.post(GAP, "t", "models:invoke operator")

    assert (off.status_code, off.json_body["error"]["code"]) == (501, "completions_not_configured")
    assert off.json_body["error"]["whose_fix"] == "operator"
    assert (refused.status_code, refused.json_body["error"]["code"]) == (403, "insufficient_scope")


BROKEN = {
    "throttled": ({"kind": "exception_frame", "code": "throttlingException"}, "rate_limit_exceeded"),
    "denied": ({"kind": "exception_frame", "code": "accessDeniedException"}, "built_in_model_unavailable"),
    "cut": ({"kind": "cut", "after_events": 3}, "upstream_unreachable"),
    "a clean end too early": ({"kind": "early_end"}, "upstream_unreachable"),
}


@pytest.mark.parametrize(("fault", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_is_an_error(world: World, api: Api, fault: dict[str, Any], code: str) -> None:
    """The last event says so, and no [DONE] follows."""
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "ConverseStream", **fault})
    answer = api.post(PATH, {**GAP, "stream": True})
    last = [line for line in answer.text.split("\n\n") if line][-1]

    assert json.loads(last.removeprefix("data: "))["error"]["code"] == code
    assert "[DONE]" not in answer.text


def test_what_aws_says_of_the_operators_account_is_the_operators(world: World, api: Api) -> None:
    """A tenant learns that the model can't be called, and no ARN of the account that it runs in."""
    account = world.accounts.service_role.account_id
    denied = {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": "AccessDeniedException"}
    world.aws.faults.add({**denied, "message": f"User: arn:aws:sts::{account}:assumed-role/x is not authorized"})
    answer = api.post(PATH, GAP)

    assert (answer.status, answer.error["code"]) == (502, "built_in_model_unavailable")
    assert account not in answer.text
