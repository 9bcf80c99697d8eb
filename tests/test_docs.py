"""The operator's guide: what it lists is what there is, and its examples work."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from chalicelib.routes.auth import Authenticator
from chalicelib.services import now
from chalicelib.settings import Settings
from tests.routes.issuer import ec_key, pem, rsa_key, token
from tools import cost
from tools.settings_table import document

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
ISSUERS = (ROOT / "docs/issuers.md").read_text()
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
STACK = json.loads((ROOT / ".chalice/resources.json").read_text())
MADE_BY_STACK = {
    "AWS_REGION": "eu-central-1",
    "TABLE_NAME": "rolecall-prod",
    "SERVICE_ROLE_ARN": "arn:aws:iam::111122223333:role/rolecall-prod",
    "AWS_LAMBDA_FUNCTION_NAME": "rolecall-prod",
}


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """After a change of a setting: `python -m tools.settings_table`."""
    assert (ROOT / "docs/settings.md").read_text() == document()


def test_the_cost_is_what_the_formula_says() -> None:
    """The table, and every price that the text names, are those of tools/cost.py."""
    text = (ROOT / "docs/cost.md").read_text()

    assert cost.table() in text
    named = {float(price) for price in re.findall(r"\$(0\.00[0-9]*[1-9])", text)}
    assert named == {cost.GB_SECOND, cost.INVOCATION, cost.GATEWAY_REQUEST, cost.READ_UNIT, cost.WRITE_UNIT}


def test_every_alarm_has_its_section_and_every_section_its_alarm() -> None:
    """Whoever is woken at night finds the place by the alarm's name."""
    alarms = {name for name, row in STACK["Resources"].items() if row.get("Type") == "AWS::CloudWatch::Alarm"}
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))

    assert set(sections) == alarms
    for name, text in sections.items():
        # What it means in one sentence, then what to do.
        assert re.match(r"\n\*[^*]+\*", text), name
        assert "\n1. " in text, name
        description = STACK["Resources"][name]["Properties"]["AlarmDescription"]
        assert description.endswith(f"Runbook: docs/runbook.md, {name}.")


def _examples() -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
    found = {}
    for title, section in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", ISSUERS, re.MULTILINE | re.DOTALL):
        [env] = re.findall(r"```env\n(.*?)```", section, re.DOTALL)
        [claims] = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
        found[title] = (dict(line.split("=", 1) for line in env.strip().splitlines()), json.loads(claims))
    return found


def test_there_is_an_example_for_each_kind_of_issuer() -> None:
    """The three that most have, and none at all."""
    assert set(_examples()) == {"Cognito", "Auth0", "Entra", "A key of your own"}


@pytest.mark.parametrize("title", _examples())
def test_an_issuers_example_takes_the_token_beside_it(title: str) -> None:
    """The settings can be used as they stand, and a token with these claims is that tenant's, with these scopes."""
    env, claims = _examples()[title]
    rules = Settings.from_environment({**MADE_BY_STACK, **env}).tokens
    algorithm = rules.algorithms[0]
    key: Any = rsa_key() if algorithm == "RS256" else ec_key()
    # The issuer's key is the one thing that a test can't have.
    known = dataclasses.replace(rules, jwks_url=None, public_key=pem(key))
    instant = int(now().timestamp())
    sent = token({**claims, "iat": instant, "exp": instant + 900}, key, algorithm)

    caller = Authenticator(known, clock=now).authenticate([f"Bearer {sent}"])

    assert caller.tenant == claims[rules.tenant_claim]
    assert {"connections:read", "models:invoke"} & caller.scopes
    assert caller.subject == claims["sub"]


def test_the_example_of_a_key_is_a_key() -> None:
    """One line with backslash-n in it, as a file of settings can hold it."""
    env, _ = _examples()["A key of your own"]
    settings = Settings.from_environment({**MADE_BY_STACK, **env})

    assert serialization.load_pem_public_key((settings.tokens.public_key or "").encode())


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(path: Path) -> None:
    """Links lead somewhere, and every `make` target and every file of ours exists."""
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= set(re.findall(r"make ([a-z]+)", helped))
    for name in re.findall(r"(?<![\w/])((?:docs|tools|deploy|\.chalice)/[\w./]+\.(?:py|md|json|env))", text):
        assert (ROOT / name).exists() or name in {"deploy/prod.env", "deploy/STAGE.env"}, name


def test_the_variables_that_a_document_names_are_settings() -> None:
    """A misspelt one would be looked for in vain."""
    known = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", document(), re.MULTILINE)) | {"ROLECALL_TOKEN"}
    for path in DOCS:
        named = set(re.findall(r"`([A-Z]+(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", path.read_text()))
        assert named - known - {"UPDATE_ROLLBACK_FAILED"} == set(), path.name
