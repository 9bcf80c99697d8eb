"""DynamoDB as far as the service asks it while it serves chats. Conditions always hold: nobody else writes here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Partitions = dict[str, dict[str, dict[str, Any]]]

_ADDITION: Final = re.compile(r"\bADD\s+(.+?)(?=\s+(?:SET|REMOVE|DELETE)\b|$)")


class UnknownOperationError(Exception):
    """The stub has no such operation."""


def answer(partitions: Partitions, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out an operation. Raises `UnknownOperationError`."""
    match operation:
        case "GetItem":
            found = partitions.get(request["Key"]["pk"]["S"], {}).get(request["Key"]["sk"]["S"])
            return {} if found is None else {"Item": found}
        case "PutItem":
            item = request["Item"]
            partitions.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = item
            return {}
        case "Query":
            return _query(partitions, request["ExpressionAttributeValues"])
        case "UpdateItem":
            return _update(partitions, request)
    raise UnknownOperationError(operation)


def _query(partitions: Partitions, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of the partition `:partition` whose sort keys begin with `:prefix`."""
    partition = partitions.get(values[":partition"]["S"], {})
    rows = [partition[key] for key in sorted(partition) if key.startswith(values[":prefix"]["S"])]
    return {"Items": rows, "Count": len(rows), "ScannedCount": len(rows)}


def _update(partitions: Partitions, request: Mapping[str, Any]) -> dict[str, Any]:
    """Add to counters: the part of an update that says how much was used."""
    key, names = request["Key"], request.get("ExpressionAttributeNames", {})
    item = partitions.setdefault(key["pk"]["S"], {}).setdefault(key["sk"]["S"], dict(key))
    added = _ADDITION.search(request["UpdateExpression"])
    for pair in added[1].split(",") if added else ():
        name, value = pair.split()
        attribute = names.get(name, name)
        before = int(item.get(attribute, {"N": "0"})["N"])
        item[attribute] = {"N": str(before + int(request["ExpressionAttributeValues"][value]["N"]))}
    return {"Attributes": item} if request.get("ReturnValues", "NONE") != "NONE" else {}
