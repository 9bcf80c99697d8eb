"""The table of error codes: all that are raised, and no others."""

from __future__ import annotations

import ast
from pathlib import Path

from chalicelib.bedrock.meanings import FAILED, ROWS, THROTTLED, UNKNOWN
from chalicelib.providers import meanings
from chalicelib.routes.codes import CODES
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
