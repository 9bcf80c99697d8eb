"""The app as app.py builds it, but on the sandbox's AWS: copied into a package, beside a JSON file with the settings.

The address of a local AWS has no environment variable, so that a deployed service can't be given one. A module of its
own hands it over instead: what is deployed does not hold it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.identifiers import RoleArn
from chalicelib.routes import create_app
from chalicelib.services import Services
from chalicelib.settings import Settings, TokenRules


def _settings() -> Settings:
    given: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    tokens = given.pop("tokens")
    return Settings(
        service_role=RoleArn.parse(given.pop("service_role")),
        tokens=TokenRules(**{**tokens, "algorithms": tuple(tokens["algorithms"])}),
        on_lambda=True,
        **given,
    )


app = create_app(Services(_settings()))
reverify = app.handler_map["reverify"]
