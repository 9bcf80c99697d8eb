"""Change sets, as CloudFormation answers when things go wrong; moto's never do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from tools.changes import ChangeSet, Stacks
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "rolecall-prod"
CHANGES = ChangeSet(NAME, "deploy-1", is_new=False, rows=())


class Played:
    """CloudFormation with its answers written down; waiting takes no time."""

    def __init__(self) -> None:
        client = boto3.client(
            "cloudformation", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
        )
        self.stubber = Stubber(client)
        self.waited = 0.0
        self.stacks = Stacks(client, self._sleep, lambda: self.waited)

    def _sleep(self, seconds: float) -> None:
        self.waited += seconds

    def stack(self, status: str, outputs: dict[str, str] | None = None) -> None:
        row: dict[str, Any] = {"StackName": NAME, "CreationTime": datetime.now(UTC), "StackStatus": status}
        if outputs is not None:
            row["Outputs"] = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        self.stubber.add_response("describe_stacks", {"Stacks": [row]}, {"StackName": NAME})

    def change_set(self, status: str, reason: str = "", changes: list[Any] | None = None, **more: str) -> None:
        answer = {"Status": status, "StatusReason": reason, "Changes": changes or [], **more}
        self.stubber.add_response("describe_change_set", answer)


@pytest.fixture
def played() -> Iterator[Played]:
    """Give CloudFormation; every answer that was written down must have been asked for."""
    cloudformation = Played()
    with cloudformation.stubber:
        yield cloudformation
        cloudformation.stubber.assert_no_pending_responses()


def _propose(played: Played) -> ChangeSet | None:
    return played.stacks.propose(NAME, "https://x.s3.us-east-1.amazonaws.com/t", [], "deploy-1")


def _change(action: str, name: str, replacement: str | None = None) -> dict[str, Any]:
    row = {"Action": action, "LogicalResourceId": name, "ResourceType": "AWS::X::Y"}
    return {"Type": "Resource", "ResourceChange": {**row, **({"Replacement": replacement} if replacement else {})}}


def test_every_page_of_a_change_set_is_shown(played: Played) -> None:
    """What would be replaced stands beside it; a change set is waited for."""
    played.stack("UPDATE_COMPLETE")
    played.stubber.add_response("create_change_set", {"Id": "arn:aws:x", "StackId": "arn:aws:y"})
    played.change_set("CREATE_IN_PROGRESS")
    played.change_set("CREATE_COMPLETE")
    played.change_set("CREATE_COMPLETE", changes=[_change("Modify", "APIHandler", "False")], NextToken="more")
    played.change_set("CREATE_COMPLETE", changes=[_change("Modify", "Table", "True")])

    proposed = _propose(played)

    assert proposed is not None
    assert proposed.table() == "  Modify  APIHandler  AWS::X::Y\n  Modify  Table       AWS::X::Y  replaced"
    assert (proposed.precious(), proposed.is_new) == (["Table"], False)


def test_a_refused_change_set_is_told_and_taken_away(played: Played) -> None:
    """CloudFormation's reason, and no heap of failed change sets."""
    played.stack("UPDATE_COMPLETE")
    played.stubber.add_response("create_change_set", {"Id": "arn:aws:x", "StackId": "arn:aws:y"})
    played.change_set("FAILED", "Parameters: [JwtIssuer] must have values")
    played.stubber.add_response("delete_change_set", {}, {"StackName": NAME, "ChangeSetName": "deploy-1"})

    with pytest.raises(PackageError, match=r"refuses the change: Parameters: \[JwtIssuer\]"):
        _propose(played)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param("UPDATE_IN_PROGRESS", "something else is being done to it", id="busy"),
        pytest.param("ROLLBACK_COMPLETE", r"Delete it \(the table stays\)", id="never came up"),
        pytest.param("UPDATE_ROLLBACK_FAILED", r"Do not delete it.*Continue update rollback", id="stuck in use"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_told_as_such(played: Played, status: str, told: str) -> None:
    """Before a change set is made that AWS would refuse in other words."""
    played.stack(status)

    with pytest.raises(PackageError, match=told):
        _propose(played)


def test_the_outputs_come_back_when_it_is_done(played: Played) -> None:
    """It is waited for."""
    played.stubber.add_response("execute_change_set", {}, {"StackName": NAME, "ChangeSetName": "deploy-1"})
    played.stack("UPDATE_IN_PROGRESS")
    played.stack("UPDATE_COMPLETE", {"Address": "https://api.example.com"})

    assert played.stacks.carry_out(CHANGES) == {"Address": "https://api.example.com"}
    assert played.waited > 0


def test_what_failed_is_told_by_name(played: Played) -> None:
    """The resources whose change failed and why, not only that the stack rolled back.

    The cause first, though a rollback writes pages of events after it; and nothing of what failed last week.
    """
    played.stubber.add_response("execute_change_set", {})
    played.stack("UPDATE_ROLLBACK_COMPLETE")
    event: dict[str, Any] = {"StackId": "s", "EventId": "e", "StackName": NAME, "Timestamp": datetime.now(UTC)}
    pages = (
        [("Table", "UPDATE_COMPLETE", ""), ("Reverify", "UPDATE_FAILED", "Resource update cancelled")],
        [
            ("APIHandler", "UPDATE_FAILED", "too big"),
            (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
            ("Domain", "UPDATE_FAILED", "no such certificate"),
        ],
    )
    for number, page in enumerate(pages):
        names = ("LogicalResourceId", "ResourceStatus", "ResourceStatusReason")
        rows = [{**event, **dict(zip(names, row, strict=True))} for row in page]
        more = {"NextToken": "more"} if number == 0 else {}
        played.stubber.add_response("describe_stack_events", {"StackEvents": rows, **more})

    with pytest.raises(PackageError) as refused:
        played.stacks.carry_out(CHANGES)
    assert "UPDATE_ROLLBACK_COMPLETE" in str(refused.value)
    told = str(refused.value).splitlines()[1:]
    assert told == ["  - APIHandler: too big", "  - Reverify: Resource update cancelled"]


def test_waiting_ends(played: Played) -> None:
    """After half an hour the operator is sent to the console."""
    played.stubber.add_response("execute_change_set", {})
    for _ in range(602):
        played.stack("UPDATE_IN_PROGRESS")

    with pytest.raises(PackageError, match="has not ended after half an hour"):
        played.stacks.carry_out(CHANGES)
