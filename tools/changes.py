"""A change set: made, shown, and carried out only when somebody said so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PRECIOUS: Final = frozenset({"Table", "ServiceRole"})
"""What customers depend on: their external IDs are in the one, their trust policies name the other."""
_PAUSE: Final = 3.0
_LONGEST: Final = 1800.0
_NEVER_CAME_UP: Final = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
_BEGINNINGS: Final = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
_STUCK: Final = "UPDATE_ROLLBACK_FAILED"
"""It is in use. To delete it would take the API, its address and the role away from every customer."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set of a stack, with the rows of what it would do."""

    stack: str
    name: str
    is_new: bool
    rows: tuple[tuple[str, str, str, str], ...]
    """Action, logical id, type, and "replaced" where that is so."""
    tables: tuple[str, str] | None = None
    """The table in use and the one that would take its place, where these are two."""

    def precious(self) -> list[str]:
        """Return what of the precious it would remove or replace."""
        return [row[1] for row in self.rows if row[1] in PRECIOUS and (row[0] == "Remove" or row[3])]

    def warnings(self) -> list[str]:
        """Return what customers would feel of it, in words."""
        found = []
        if precious := self.precious():
            found.append(f"This removes or replaces {', '.join(precious)}, on which every customer depends.")
        if self.tables is not None:
            old, new = self.tables
            found.append(f"This takes the table {new} in place of {old}: no connection of {old} is served any more.")
        return found

    def table(self) -> str:
        """Return the changes as people read them."""
        width = max((len(row[1]) for row in self.rows), default=0)
        return "\n".join(f"  {row[0]:<8}{row[1]:<{width + 2}}{row[2]}  {row[3]}".rstrip() for row in self.rows)


class Stacks:
    """CloudFormation, with waiting. `sleep` and `clock` are the real ones but in tests."""

    def __init__(
        self,
        client: Any,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._clock = clock

    def status(self, name: str) -> str | None:
        """Return the status of a stack, or None when there is none; one that was only ever looked at is none."""
        stack = self._stack(name)
        return None if stack is None else str(stack["StackStatus"])

    def parameters(self, name: str) -> dict[str, str] | None:
        """Return what a stack was last deployed with, or None when there is none."""
        stack = self._stack(name)
        if stack is None:
            return None
        return {row["ParameterKey"]: row.get("ParameterValue", "") for row in stack.get("Parameters", [])}

    def _stack(self, name: str) -> Any:  # an answer of CloudFormation
        try:
            [stack] = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if stack["StackStatus"] in {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"} else stack

    def propose(
        self, name: str, template_url: str, parameters: Sequence[dict[str, str]], label: str
    ) -> ChangeSet | None:
        """Make a change set. Returns None when nothing would change. Raises `PackageError`."""
        status = self.status(name)
        if status is not None and status.endswith("_IN_PROGRESS"):
            raise PackageError(f"The stack {name} is {status}: something else is being done to it. Wait for its end.")
        if status == _STUCK:
            raise PackageError(
                f"The stack {name} is {status}: an update failed, and so did its rollback. Do not delete it: it is in"
                ' use. Choose "Continue update rollback" in the CloudFormation console, then deploy again.'
            )
        if status in _NEVER_CAME_UP:
            raise PackageError(
                f"The stack {name} is {status}, from which CloudFormation lets nothing be changed. Delete it (the table"
                " stays) and deploy again."
            )
        self._client.create_change_set(
            StackName=name,
            ChangeSetName=label,
            ChangeSetType="CREATE" if status is None else "UPDATE",
            TemplateURL=template_url,
            Parameters=list(parameters),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        told = self._until(
            lambda: self._client.describe_change_set(StackName=name, ChangeSetName=label),
            lambda answer: not answer["Status"].endswith(("_IN_PROGRESS", "_PENDING")),
        )
        if told["Status"] == "FAILED":
            reason = str(told.get("StatusReason", ""))
            self._client.delete_change_set(StackName=name, ChangeSetName=label)
            if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                return None
            raise PackageError(f"CloudFormation refuses the change: {reason}")
        return ChangeSet(name, label, status is None, tuple(self._rows(name, label)))

    def _rows(self, name: str, label: str) -> list[tuple[str, str, str, str]]:
        rows: list[tuple[str, str, str, str]] = []
        more: dict[str, str] = {}
        while True:
            page = self._client.describe_change_set(StackName=name, ChangeSetName=label, **more)
            for change in page["Changes"]:
                row = change["ResourceChange"]
                replaced = "" if row.get("Replacement", "False") == "False" else "replaced"
                rows.append((row["Action"], row["LogicalResourceId"], row["ResourceType"], replaced))
            if not page.get("NextToken"):
                return rows
            more = {"NextToken": page["NextToken"]}

    def withdraw(self, changes: ChangeSet) -> None:
        """Take a change set back, and with it the empty stack that a first one makes."""
        self._client.delete_change_set(StackName=changes.stack, ChangeSetName=changes.name)
        if changes.is_new:
            self._client.delete_stack(StackName=changes.stack)

    def carry_out(self, changes: ChangeSet) -> dict[str, str]:
        """Carry a change set out and wait; return the stack's outputs. Raises `PackageError` with what went wrong."""
        self._client.execute_change_set(StackName=changes.stack, ChangeSetName=changes.name)
        stack = self._until(
            lambda: self._client.describe_stacks(StackName=changes.stack)["Stacks"][0],
            lambda answer: not answer["StackStatus"].endswith("_IN_PROGRESS"),
        )
        if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise PackageError(
                f"The stack {changes.stack} is {stack['StackStatus']}. What failed:\n" + self._failures(changes.stack)
            )
        return {row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", [])}

    def _failures(self, name: str) -> str:
        """Return what failed in the last operation, the cause first: what follows was cancelled for it."""
        failed: list[Any] = []
        for event in self._events(name):
            if event["LogicalResourceId"] == name and event["ResourceStatus"] in _BEGINNINGS:
                # Where it began; before that stands what failed another time.
                break
            if event["ResourceStatus"].endswith("_FAILED"):
                failed.append(event)
        return "\n".join(
            f"  - {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed[:-11:-1]
        )

    def _events(self, name: str) -> Iterator[Any]:
        """Yield the stack's events, the newest first."""
        more: dict[str, str] = {}
        while True:
            page = self._client.describe_stack_events(StackName=name, **more)
            yield from page["StackEvents"]
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def _until(self, ask: Callable[[], Any], ended: Callable[[Any], bool]) -> Any:
        deadline = self._clock() + _LONGEST
        while True:
            answer = ask()
            if ended(answer):
                return answer
            if self._clock() > deadline:
                raise PackageError("CloudFormation has not ended after half an hour. See the stack in the console.")
            self._sleep(_PAUSE)
