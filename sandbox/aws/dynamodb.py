"""DynamoDB: moto's, one call at a time, with the caller's policies asked."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from moto.core.model_instances import model_data
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler

from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import PARTITION
from sandbox.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.core.responses import ActionResult
    from moto.dynamodb.models.table import Table

_ONE_AT_A_TIME: Final = threading.RLock()
"""moto holds no lock: under load two conditional writes of one key can both win, and additions are lost."""
_TOKENS: Final = 10_000
_MADE: Final[dict[str, Any]] = {}
"""Answers of the last transactions, by their tokens."""
_PARTS: Final = {
    "TransactWriteItems": {
        "Put": "PutItem",
        "Update": "UpdateItem",
        "Delete": "DeleteItem",
        "ConditionCheck": "ConditionCheckItem",
    },
    "TransactGetItems": {"Get": "GetItem"},
}
"""The permission that each part of a transaction needs; there is none for the transaction itself."""


@contextmanager
def _narrowed(tables: dict[str, Table], parts: list[dict[str, Any]]) -> Iterator[None]:
    """Have tables hold nothing but the partitions of a transaction's parts, and the rest again afterwards."""
    named: dict[str, set[DynamoType]] = defaultdict(set)
    for operation in chain.from_iterable(part.values() for part in parts):
        table = tables.get(operation.get("TableName"))
        key = (operation.get("Item") or operation.get("Key") or {}).get(table.hash_key_attr) if table else None
        if table and isinstance(key, dict):
            named[table.name].add(DynamoType(key))
    whole = {name: tables[name] for name in named}
    for name, keys in named.items():
        tables[name] = copy.copy(whole[name])
        tables[name].items = defaultdict(dict, {key: whole[name].items[key] for key in keys & whole[name].items.keys()})
    try:
        yield
    finally:
        for name, keys in named.items():
            for key in keys:
                whole[name].items.pop(key, None)
            whole[name].items.update(tables[name].items)
            tables[name] = whole[name]


def _forget_copies() -> None:
    """Let go of what moto copies for each transaction: its dashboard's list of all objects holds whole tables for ever.

    After a few hundred connections those were gigabytes, in which Python looked for garbage.
    """
    for model in model_data["dynamodb"].values():
        model.instances_tracked.clear()  # type: ignore[attr-defined]


class SandboxDynamo(Authenticated, DynamoHandler):
    """The service `dynamodb`."""

    SERVICE = "dynamodb"

    def _get_action(self) -> str:
        """Take the operation from its header alone: moto looks for `Action=` in the items' own text first."""
        return str(self.headers.get("X-Amz-Target", "")).rpartition(".")[2]

    def run(self, operation: str) -> Any:
        """Run one operation while no other runs; a transaction that was made already is not made again.

        boto3 sends each transaction with a token of its own, and again with the same one when it heard no answer. moto
        refuses the token; AWS answers as it did (DynamoDB developer guide, "Idempotency").
        """
        token = self.params.get("ClientRequestToken")
        with _ONE_AT_A_TIME:
            if isinstance(token, str) and token in _MADE:
                return _MADE[token]
            try:
                answer = super().run(operation)
            finally:
                if operation == "TransactWriteItems":
                    _forget_copies()
            if isinstance(token, str):
                _MADE[token] = answer
                if len(_MADE) > _TOKENS:
                    _MADE.pop(next(iter(_MADE)))
            return answer

    def transact_write_items(self) -> ActionResult:
        """Make a transaction on the partitions that it names: moto copies whole tables, to undo what fails in part."""
        with _narrowed(self.dynamodb_backend.tables, self.body.get("TransactItems", [])):
            return super().transact_write_items()

    def admit(self, operation: str) -> None:
        """Ask the caller's policies: for the table or index named, and for every item of a transaction or batch."""
        body: dict[str, Any] = self.params
        tables = f"arn:{PARTITION}:dynamodb:{self.region}:{self.current_account}:table/"
        for action, resource in _asked(operation, body, tables):
            self.require(f"dynamodb:{action}", [resource])


def _asked(operation: str, body: dict[str, Any], tables: str) -> Iterator[tuple[str, str]]:
    if operation in _PARTS:
        for item in body.get("TransactItems", []):
            if len(item) != 1:
                raise AwsError(
                    "ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete"
                )
            for kind, part in item.items():
                yield _PARTS[operation][kind], _table(tables, part.get("TableName"))
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in body.get("RequestItems", {}):
            yield operation, _table(tables, table)
    elif "IndexName" in body:
        yield operation, f"{_table(tables, body.get('TableName'))}/index/{body['IndexName']}"
    else:
        yield operation, _table(tables, body["TableName"]) if "TableName" in body else "*"


def _table(tables: str, name: object) -> str:
    """Return a table's ARN; callers may give the ARN itself for its name."""
    return name if isinstance(name, str) and name.startswith("arn:") else f"{tables}{name}"
