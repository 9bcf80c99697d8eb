"""Guardrails: made, versioned, listed and deleted. They block the words of their word policy, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.account import Guardrail, now, timestamp
from sandbox.bedrock.paging import page_start, page_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bedrock.protocol import Answer, BedrockService


def create_guardrail(service: BedrockService) -> Answer:
    """Make a guardrail; it is ready at once."""
    service.require("bedrock:CreateGuardrail", [service.place.arn("guardrail/*")], {})
    request = service.checked_request()
    words = tuple(word["text"] for word in request.get("wordPolicyConfig", {}).get("wordsConfig", []))
    arn = service.place.arn(f"guardrail/{service.holdings.next_id()}")
    made = Guardrail(
        arn,
        request["name"],
        request.get("description"),
        request["blockedInputMessaging"],
        request["blockedOutputsMessaging"],
        words,
        now(),
    )
    service.holdings.guardrails[arn] = made
    created = {"guardrailId": made.id, "guardrailArn": arn, "version": "DRAFT", "createdAt": timestamp(made.created)}
    return service.answer(created, 202)


def get_guardrail(service: BedrockService) -> Answer:
    """Answer one guardrail, the draft or a version."""
    guardrail = _asked_for(service, "bedrock:GetGuardrail")
    version = service.checked_request().get("guardrailVersion", "DRAFT")
    if not guardrail.has_version(version):
        raise no_such_guardrail()
    shown = {
        "guardrailId": guardrail.id,
        "guardrailArn": guardrail.arn,
        "blockedInputMessaging": guardrail.blocked_input,
        "blockedOutputsMessaging": guardrail.blocked_output,
        "wordPolicy": {"words": [{"text": word} for word in guardrail.words], "managedWordLists": []},
    }
    return service.answer({**_described(guardrail, version), **shown})


def list_guardrails(service: BedrockService) -> Answer:
    """Answer one page of the region's guardrails, or the versions of one."""
    service.require("bedrock:ListGuardrails", ["*"], {})
    request = service.checked_request()
    named = request.get("guardrailIdentifier")
    if named is None:
        prefix = service.place.arn("guardrail/")
        own = [g for g in list(service.holdings.guardrails.values()) if g.arn.startswith(prefix)]
        rows = [(guardrail, "DRAFT") for guardrail in own]
    else:
        guardrail = service.holdings.guardrail(named, service.place)
        if guardrail is None:
            raise no_such_guardrail()
        rows = [(guardrail, v) for v in ("DRAFT", *(str(n) for n in range(1, guardrail.versions + 1)))]
    scope = service.place.arn(f"guardrails/{named}")
    start = page_start(scope, request.get("nextToken"), len(rows))
    end = start + request.get("maxResults", 100)
    shown = [{**_described(g, v), "id": g.id, "arn": g.arn} for g, v in rows[start:end]]
    return service.answer({"guardrails": shown, **({"nextToken": page_token(scope, end)} if end < len(rows) else {})})


def create_guardrail_version(service: BedrockService) -> Answer:
    """Freeze the draft as the next version."""
    guardrail = _asked_for(service, "bedrock:CreateGuardrailVersion")
    service.checked_request()
    guardrail.versions += 1
    return service.answer({"guardrailId": guardrail.id, "version": str(guardrail.versions)}, 202)


def delete_guardrail(service: BedrockService) -> Answer:
    """Delete a guardrail with all of its versions."""
    guardrail = _asked_for(service, "bedrock:DeleteGuardrail")
    service.checked_request()
    service.holdings.guardrails.pop(guardrail.arn, None)
    return service.answer({}, 202)


def _asked_for(service: BedrockService, action: str) -> Guardrail:
    given = service.path_labels["guardrailIdentifier"]
    arn = given if given.startswith("arn:") else service.place.arn(f"guardrail/{given}")
    service.require(action, [arn], {})
    guardrail = service.holdings.guardrail(given, service.place)
    if guardrail is None:
        raise no_such_guardrail()
    return guardrail


def _described(guardrail: Guardrail, version: str) -> dict[str, Any]:
    return {
        "name": guardrail.name,
        **({"description": guardrail.description} if guardrail.description else {}),
        "version": version,
        "status": "READY",
        "createdAt": timestamp(guardrail.created),
        "updatedAt": timestamp(guardrail.created),
    }


def no_such_guardrail() -> AwsError:
    """Return the control plane's answer to an unknown guardrail."""
    return AwsError("ResourceNotFoundException", "The guardrail could not be found.", 404)


def identifier_in_conditions(service: BedrockService, config: Mapping[str, str] | None) -> str | None:
    """Return what `bedrock:GuardrailIdentifier` holds while a request with this config is authorised."""
    if not config or not config.get("guardrailIdentifier"):
        return None
    identifier, version = config["guardrailIdentifier"], config.get("guardrailVersion", "DRAFT")
    arn = identifier if identifier.startswith("arn:") else service.place.arn(f"guardrail/{identifier}")
    return arn if version == "DRAFT" else f"{arn}:{version}"


def applied_guardrail(service: BedrockService, config: Mapping[str, str] | None) -> Guardrail | None:
    """Return the guardrail that a request names, once the caller may apply it.

    Raises AwsError: the identifier or version does not exist, or `bedrock:ApplyGuardrail` is not allowed.
    """
    if not config or not config.get("guardrailIdentifier"):
        return None
    identifier, version = config["guardrailIdentifier"], config.get("guardrailVersion")
    arn = identifier if identifier.startswith("arn:") else service.place.arn(f"guardrail/{identifier}")
    service.require("bedrock:ApplyGuardrail", [arn], {})
    guardrail = service.holdings.guardrail(identifier, service.place)
    if guardrail is None:
        raise AwsError("ValidationException", "The provided guardrail identifier is invalid.", 400)
    if not version or not guardrail.has_version(version):
        text = "The guardrail identifier or version provided in the request does not exist."
        raise AwsError("ValidationException", text, 400)
    return guardrail


def blocked_words(guardrail: Guardrail, text: str) -> list[str]:
    """Return the words of the guardrail's policy that the text holds, as whole words in any case."""
    return [w for w in guardrail.words if re.search(rf"(?<!\w){re.escape(w)}(?!\w)", text, re.IGNORECASE)]
