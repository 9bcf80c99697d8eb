"""DynamoDB of the local AWS: one winner in every race, and every action asked of the caller's policies."""

from __future__ import annotations

import gc
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import Item

from tests.sandbox.conftest import Keys, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import Aws

THREADS = 8
ROUNDS = 40
ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}}


@pytest.fixture(scope="module")
def table(aws: Aws) -> str:
    """Make a table with an index in the customer's account; return its name."""
    name = aws.name()
    aws.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk", "due")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [{"AttributeName": "due", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def tight_switches() -> Iterator[None]:
    """Have threads switched a million times a second: what is not locked then shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def race(one: Callable[[int], bool]) -> int:
    """Run ROUNDS rounds on THREADS threads that start each round together; return how many calls were true."""
    barrier = threading.Barrier(THREADS)

    def run(_: int) -> int:
        won = 0
        try:
            for number in range(ROUNDS):
                barrier.wait(timeout=30)
                won += one(number)
        except BaseException:
            barrier.abort()  # the others would wait for this thread for ever
            raise
        return won

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, range(THREADS)))


def _lost(error: ClientError, code: str) -> bool:
    """Return False for the error that a loser meets; anything else is raised."""
    # Told by its code: botocore makes `client.exceptions` when first used, without a lock, so that two threads can
    # hold two classes of one name.
    if error.response["Error"]["Code"] != code:
        raise error
    return False


def test_conditional_writes_have_one_winner(aws: Aws, table: str, tight_switches: None) -> None:
    """Eight threads that want the same new key: exactly one gets it, in every round."""
    dynamodb = aws.client("dynamodb")

    def put(number: int) -> bool:
        item = {"pk": {"S": f"RACE#{number}"}, "sk": {"S": "x"}}
        try:
            dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            return _lost(error, "ConditionalCheckFailedException")
        return True

    assert race(put) == ROUNDS


def test_transactions_have_one_winner(aws: Aws, table: str, tight_switches: None) -> None:
    """The same when the new key is one of several items: the losers change nothing."""
    dynamodb = aws.client("dynamodb")

    def put(number: int) -> bool:
        items = [{"pk": {"S": f"TRANSACTION#{number}"}, "sk": {"S": key}} for key in "xy"]
        puts = [
            {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
            for item in items
        ]
        try:
            dynamodb.transact_write_items(TransactItems=puts)
        except ClientError as error:
            return _lost(error, "TransactionCanceledException")
        return True

    assert race(put) == ROUNDS


def test_additions_are_not_lost(aws: Aws, table: str, tight_switches: None) -> None:
    """A counter that eight threads add to holds the sum."""
    dynamodb, key = aws.client("dynamodb"), {"pk": {"S": "COUNTER"}, "sk": {"S": "x"}}

    def add(_: int) -> bool:
        dynamodb.update_item(
            TableName=table, Key=key, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )
        return True

    race(add)
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["n"] == {"N": str(THREADS * ROUNDS)}


def _kept(aws: Aws, table: str, partition: str) -> dict[str, str]:
    """Return what a partition holds: the value `n` of each sort key."""
    rows = aws.client("dynamodb").query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": partition}}
    )["Items"]
    return {row["sk"]["S"]: row["n"]["N"] for row in rows}


@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_is_made_whole_or_not_at_all(aws: Aws, table: str, fails: bool) -> None:
    """Puts, updates and deletes in several partitions; what else is in these and in others stays."""
    dynamodb, name = aws.client("dynamodb"), aws.name()

    def key(partition: str, sort: str) -> dict[str, Any]:
        return {"pk": {"S": f"{name}#{partition}"}, "sk": {"S": sort}}

    before = [("one", "changed"), ("one", "stays"), ("two", "goes"), ("other", "stays")]
    for partition, sort in before:
        dynamodb.put_item(TableName=table, Item={**key(partition, sort), "n": {"N": "1"}})
    update = {"UpdateExpression": "SET n = :two", "ExpressionAttributeValues": {":two": {"N": "2"}}}
    absent = {"ConditionExpression": "attribute_not_exists(pk)"} if fails else {}
    parts = [
        {"Update": {"TableName": table, "Key": key("one", "changed"), **update}},
        {"Delete": {"TableName": table, "Key": key("two", "goes")}},
        {"Put": {"TableName": table, "Item": {**key("three", "new"), "n": {"N": "3"}}}},
        {"Put": {"TableName": table, "Item": {**key("one", "stays"), "n": {"N": "1"}}, **absent}},
    ]
    if fails:
        with pytest.raises(ClientError, match="TransactionCanceledException"):
            dynamodb.transact_write_items(TransactItems=parts)
    else:
        dynamodb.transact_write_items(TransactItems=parts)

    held = {partition: _kept(aws, table, f"{name}#{partition}") for partition in ("one", "two", "three", "other")}
    made = {"one": {"changed": "2", "stays": "1"}, "two": {}, "three": {"new": "3"}, "other": {"stays": "1"}}
    as_before = {"one": {"changed": "1", "stays": "1"}, "two": {"goes": "1"}, "three": {}, "other": {"stays": "1"}}
    assert held == (as_before if fails else made)


def test_transactions_leave_no_copies_behind(aws: Aws, table: str) -> None:
    """Moto copies what a transaction may change, and would hold every copy: memory grew with each of them."""
    dynamodb, name = aws.client("dynamodb"), aws.name()
    for number in range(40):
        item = {"pk": {"S": name}, "sk": {"S": str(number)}, "n": {"N": "1"}}
        dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item}}])
    gc.collect()
    mine = [one for one in gc.get_objects() if isinstance(one, Item) and one.hash_key.value == name]

    assert len(mine) == 40


@pytest.fixture(scope="module")
def reader(aws: Aws, table: str) -> Keys:
    """Return the keys of a user who may read and write one item at a time in the table, and query its index."""
    iam, name = aws.client("iam"), aws.name()
    arn = f"arn:aws:dynamodb:us-east-1:444455556666:table/{table}"
    allowed = [("GetItem", arn), ("PutItem", arn), ("ConditionCheckItem", arn), ("Query", f"{arn}/index/due")]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": f"dynamodb:{a}", "Resource": r} for a, r in allowed],
    }
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def _query(table: str, **more: Any) -> dict[str, Any]:
    return {"TableName": table, "KeyConditionExpression": "#k = :v", **more}


@pytest.mark.parametrize(
    ("operation", "allowed", "of"),
    [
        ("get_item", True, lambda t: {"TableName": t, "Key": ITEM}),
        ("put_item", True, lambda t: {"TableName": t, "Item": ITEM}),
        ("delete_item", False, lambda t: {"TableName": t, "Key": ITEM}),
        ("scan", False, lambda t: {"TableName": t}),
        ("describe_table", False, lambda t: {"TableName": t}),
        ("list_tables", False, lambda _: {}),
        ("get_item", False, lambda _: {"TableName": "another", "Key": ITEM}),
        (
            "query",
            True,
            lambda t: _query(
                t,
                IndexName="due",
                ExpressionAttributeNames={"#k": "due"},
                ExpressionAttributeValues={":v": {"S": "x"}},
            ),
        ),
        (
            "query",
            False,
            lambda t: _query(t, ExpressionAttributeNames={"#k": "pk"}, ExpressionAttributeValues={":v": {"S": "x"}}),
        ),
        ("transact_write_items", True, lambda t: {"TransactItems": [{"Put": {"TableName": t, "Item": ITEM}}]}),
        ("transact_write_items", False, lambda t: {"TransactItems": [{"Delete": {"TableName": t, "Key": ITEM}}]}),
        (
            "transact_write_items",
            False,
            lambda t: {
                "TransactItems": [
                    {"Put": {"TableName": t, "Item": ITEM}},
                    {"Put": {"TableName": "another", "Item": ITEM}},
                ]
            },
        ),
        ("transact_get_items", True, lambda t: {"TransactItems": [{"Get": {"TableName": t, "Key": ITEM}}]}),
        ("batch_get_item", False, lambda t: {"RequestItems": {t: {"Keys": [ITEM]}}}),
        ("batch_write_item", False, lambda t: {"RequestItems": {t: [{"PutRequest": {"Item": ITEM}}]}}),
        ("execute_statement", False, lambda _: {"Statement": "SELECT * FROM t"}),
    ],
)
def test_every_action_is_asked_of_the_callers_policies(
    aws: Aws, table: str, reader: Keys, operation: str, allowed: bool, of: Callable[[str], dict[str, Any]]
) -> None:
    """Tables and indexes by their ARN; a transaction needs what each of its parts needs."""
    call = getattr(aws.client("dynamodb", reader), operation)
    if allowed:
        assert call(**of(table))["ResponseMetadata"]["HTTPStatusCode"] == 200
    else:
        assert refusal(lambda: call(**of(table)))[:2] == (400, "AccessDeniedException")


def test_a_refusal_names_the_index(aws: Aws, table: str) -> None:
    """In AWS's words; the service's own role is asked like any other."""
    dynamodb = aws.client("dynamodb", aws.service)
    call = _query(table, IndexName="due", ExpressionAttributeNames={"#k": "due"})

    assert refusal(lambda: dynamodb.query(**call, ExpressionAttributeValues={":v": {"S": "x"}})) == (
        400,
        "AccessDeniedException",
        (
            "User: arn:aws:sts::111122223333:assumed-role/rolecall-local/tests is not authorized to perform:"
            f" dynamodb:Query on resource: arn:aws:dynamodb:us-east-1:111122223333:table/{table}/index/due because no"
            " identity-based policy allows the dynamodb:Query action"
        ),
    )


def test_what_an_item_says_is_not_what_is_asked(aws: Aws, table: str) -> None:
    """A text that looks like a form naming another operation is stored as it is."""
    item = {**ITEM, "name": {"S": "x&Action=DeleteTable&Version=2011-06-15&"}}
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item)

    assert dynamodb.get_item(TableName=table, Key=ITEM)["Item"] == item


def test_an_empty_part_of_a_transaction_is_refused(aws: Aws) -> None:
    """In AWS's words, instead of being taken for a part that needs no permission."""
    assert refusal(lambda: aws.client("dynamodb").transact_write_items(TransactItems=[{}])) == (
        400,
        "ValidationException",
        "TransactItems can only contain one of Check, Put, Update or Delete",
    )


def test_a_transaction_that_is_sent_again_is_made_once(aws: Aws, table: str) -> None:
    """Who heard no answer sends it with its token again, and gets the answer that was lost."""
    client = aws.client("dynamodb")
    item = {"pk": {"S": "again"}, "sk": {"S": "x"}}
    put = {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
    for _ in range(2):
        client.transact_write_items(TransactItems=[put], ClientRequestToken="one-token")

    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.transact_write_items(TransactItems=[put], ClientRequestToken="another-token")
