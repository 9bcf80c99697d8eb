"""The table of error codes: all that are raised, and no others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from chalicelib.bedrock.meanings import FAILED, ROWS, THROTTLED, UNKNOWN
from chalicelib.errors import ServiceError
from chalicelib.providers import meanings
from chalicelib.routes.codes import CODES, envelope
from chalicelib.routes.manners import anthropic_envelope
from tools.gateway_responses import RESPONSES

SOURCES = sorted((Path(__file__).parent.parent.parent / "chalicelib").rglob("*.py"))


def _raised() -> set[object]:
    """Return the codes that the source names when it makes an error."""
    codes: set[object] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"ServiceError", "AwsRefusal", "_refuse"}
                and node.args
            ):
                code = node.args[0]
                choices = [code.body, code.orelse] if isinstance(code, ast.IfExp) else [code]
                codes |= {choice.value for choice in choices if isinstance(choice, ast.Constant)}
    return codes


def test_every_code_that_is_raised_has_a_row_and_every_row_is_raised() -> None:
    """Clients rely on codes; one without a row would be a 500, and one that nothing raises would be a lie."""
    from_bodies = {"missing_field", "unknown_field", "invalid_type", "invalid_value", "internal_error"}
    from_aws = {row.meaning.code for row in ROWS} | {FAILED.code, UNKNOWN.code, THROTTLED.code}

    from_providers = {row.meaning.code for row in meanings.ROWS}
    from_gateway = {own.error.code for own in RESPONSES.values()}

    assert _raised() | from_bodies | from_aws | from_providers | from_gateway == set(CODES)


def test_a_status_fits_its_kind() -> None:
    """OpenAI's types go with the statuses that its clients expect."""
    fitting = {
        "authentication_error": {401},
        "permission_error": {403},
        "rate_limit_error": {429},
        "insufficient_quota": {429},
        "invalid_request_error": {400, 404, 405, 409, 413, 415, 422, 428},
        "api_error": {500, 501, 502, 503, 504},
    }

    assert {code: row for code, row in CODES.items() if row.status not in fitting[row.type]} == {}


TEXTS = {
    "a text that does not": ("invalid_value", "dimensions", "It is 5.", "dimensions: It is 5."),
    "a text that does": ("invalid_value", "dimensions", "The dimensions are 5.", "The dimensions are 5."),
    "a place within the body": ("invalid_type", "input.3", "It must be a text.", "input.3: It must be a text."),
    "what no field is at fault for": ("invalid_value", None, "It is 5.", "It is 5."),
    "what is there and not found": ("connection_not_found", "connection_id", "There is none.", "There is none."),
}


@pytest.mark.parametrize(("code", "param", "text", "said"), TEXTS.values(), ids=TEXTS)
def test_an_errors_text_names_its_field(code: str, param: str | None, text: str, said: str) -> None:
    """OpenAI's clients for Python and Node show the text alone when they raise; on all routes in either manner."""
    error = ServiceError(code, text, param=param)

    for body in (envelope(error, "r"), anthropic_envelope(error, "r")):
        told: Any = body["error"]
        assert (told["message"], told["param"]) == (said, param)
