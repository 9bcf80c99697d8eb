"""The service's one DynamoDB table: get, query one partition, and writes that are made together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from chalicelib.onboarding.items import Item

    Write = TransactWriteItemTypeDef

DUE_INDEX: Final = "due"
ABSENT: Final = "attribute_not_exists(pk)"
"""The condition that no such item is there yet."""


class Table:
    """The table by name. Every read of an item is consistent; there is no Scan."""

    def __init__(self, dynamodb: Callable[[], DynamoDBClient], name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def get(self, key: Item) -> Mapping[str, Any] | None:
        """Return an item, or None."""
        return self._dynamodb().get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")

    def page(
        self, partition: str, prefix: str, *, limit: int, after: Item | None = None, newest_first: bool = False
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Return up to `limit` items of a partition whose sort keys begin so, and whether there are more."""
        query: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :partition AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":partition": {"S": partition}, ":prefix": {"S": prefix}},
            "Limit": limit,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if after is not None:
            query["ExclusiveStartKey"] = after
        answer = self._dynamodb().query(**query)
        return list(answer["Items"]), "LastEvaluatedKey" in answer

    def due(
        self, shard: str, before: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Mapping[str, Any]], Item | None]:
        """Return up to `limit` items of the index `due` whose time is not after `before`, the earliest first.

        With them comes what to ask for the next page `after`, or None. An index is behind its table by a moment: what
        is done with an item rests on a read of the item itself.
        """
        query: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "due_shard = :shard AND due_at <= :before",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":before": {"S": before}},
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = after
        answer = self._dynamodb().query(**query)
        return list(answer["Items"]), answer.get("LastEvaluatedKey")

    def put(
        self,
        item: Item,
        condition: str | None = None,
        values: Item | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Write:
        """Return a write that puts an item, under a condition with its values and the names that are reserved words."""
        put: Write = {"Put": {"TableName": self._name, "Item": item}}
        if condition is not None:
            put["Put"]["ConditionExpression"] = condition
        if values is not None:
            put["Put"]["ExpressionAttributeValues"] = values
        if names is not None:
            put["Put"]["ExpressionAttributeNames"] = dict(names)
        return put

    def write(self, writes: Sequence[Write]) -> list[int]:
        """Write all or nothing. Returns the places whose condition did not hold; empty when all was written."""
        try:
            self._dynamodb().transact_write_items(TransactItems=writes)
        except ClientError as error:
            if _code(error) != "TransactionCanceledException":
                raise
            answer: Any = error.response
            codes = [reason.get("Code") for reason in answer["CancellationReasons"]]
            # TransactionConflict: another transaction held an item at this moment, which is a changed version too.
            taken = [at for at, code in enumerate(codes) if code in {"ConditionalCheckFailed", "TransactionConflict"}]
            if not taken:
                raise
            return taken
        return []

    def delete(self, key: Item, condition: str, values: Item) -> bool:
        """Delete an item under a condition. Returns whether it held."""
        try:
            self._dynamodb().delete_item(
                TableName=self._name, Key=key, ConditionExpression=condition, ExpressionAttributeValues=values
            )
        except ClientError as error:
            return _unless_condition_failed(error)
        return True

    def add(self, key: Item, attribute: str, amount: int, *, most: int, ttl: int) -> bool:
        """Add to a counter that ends at `ttl` (seconds since 1970). Returns whether it stays within `most`."""
        if amount > most:
            # A counter that is not there yet has nothing that the condition could compare.
            return False
        try:
            self._dynamodb().update_item(
                TableName=self._name,
                Key=key,
                UpdateExpression="SET #ttl = if_not_exists(#ttl, :ttl) ADD #counter :amount",
                ConditionExpression="attribute_not_exists(#counter) OR #counter <= :room",
                ExpressionAttributeNames={"#counter": attribute, "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":amount": {"N": str(amount)},
                    ":room": {"N": str(most - amount)},
                    ":ttl": {"N": str(ttl)},
                },
            )
        except ClientError as error:
            return _unless_condition_failed(error)
        return True


def _unless_condition_failed(error: ClientError) -> bool:
    """Return False when a condition did not hold; raise any other error again."""
    # By code: `client.exceptions.X` is made when first asked for, without a lock, and two threads may get two classes.
    if _code(error) != "ConditionalCheckFailedException":
        raise error
    return False


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
