"""DynamoDB: moto's, one call at a time, with the caller's policies asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from moto.dynamodb.responses import DynamoHandler

from sandbox.aws.authentication import Authenticated
from sandbox.aws.callers import PARTITION

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME: Final = threading.RLock()
"""moto holds no lock: under load two conditional writes of one key can both win, and additions are lost."""
_WRITES: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


class SandboxDynamo(Authenticated, DynamoHandler):
    """The service `dynamodb`."""

    SERVICE = "dynamodb"

    def call_action(self) -> Any:
        """Run one operation while no other runs."""
        with _ONE_AT_A_TIME:
            return super().call_action()

    def admit(self, operation: str) -> None:
        """Ask the caller's policies: for the table or index named, and for every item of a transaction or batch."""
        body: dict[str, Any] = getattr(self, "params", None) or {}
        for action, resource in _asked(operation, body, self.region, self.current_account):
            self.require(f"dynamodb:{action}", [resource])


def _asked(operation: str, body: dict[str, Any], region: str, account: str) -> Iterator[tuple[str, str]]:
    tables = f"arn:{PARTITION}:dynamodb:{region}:{account}:table/"
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        for item in body.get("TransactItems", []):
            for kind, write in item.items():
                yield _WRITES[kind], tables + str(write.get("TableName"))
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in body.get("RequestItems", {}):
            yield operation, tables + str(table)
    elif "IndexName" in body:
        yield operation, f"{tables}{body.get('TableName')}/index/{body['IndexName']}"
    else:
        yield operation, tables + str(body["TableName"]) if "TableName" in body else "*"
