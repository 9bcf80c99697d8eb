"""The door of every service: the signature is checked, the caller known, the call recorded, and faults are played.

A mix-in for moto's response classes; it comes first among their bases.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from moto.core.responses import ActionResult

from sandbox.aws import signatures
from sandbox.aws.callers import CALLERS, Caller
from sandbox.aws.errors import AwsError, fault_error
from sandbox.aws.switches import CALLS, FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Authenticated", "AwsError", "Caller"]

RAW_BODY: Final = "sandbox.body"
"""Where the server keeps the octets of the body: what was signed is compared with what arrived."""
CUT: Final = "sandbox.cut"
"""Set to have the server reset the connection instead of answering."""


class Authenticated:
    """Checks who calls before the operation runs; `self.caller` is known to it."""

    SERVICE: ClassVar[str]
    caller: Caller

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        """Leave out moto's own check: it is this class's work."""

    def call_action(self) -> Any:  # moto's triple of status, headers and body
        """Authenticate, then run the operation. Every call is recorded with its status, refused ones too."""
        service = str(getattr(self, "BOTO_SERVICE", self.SERVICE))
        operation = self._get_action()  # type: ignore[attr-defined]  # moto's
        record = CALLS.begin(service, operation)
        try:
            answer = self._admit_and_run(service, operation, record)
        except BaseException:
            CALLS.end(record, 0)
            raise
        CALLS.end(record, int(answer[0]))
        return answer

    def _admit_and_run(self, service: str, operation: str, record: dict[str, Any]) -> Any:
        try:
            self.caller = self._authenticate()
            record["account"], record["principal"] = self.caller.account, self.caller.arn
            self._play_fault(service, operation)
            self.admit(operation)
        except AwsError as error:
            return self._refusal(error)
        return super().call_action()  # type: ignore[misc]  # moto's

    def admit(self, operation: str) -> None:
        """Say no to what the caller's policies do not allow; services whose operations ask by themselves leave it."""

    def require(self, action: str, resources: Iterable[str], context: Mapping[str, str] | None = None) -> None:
        """Raise AWS's AccessDenied unless the caller's policies allow the action on every one of the resources."""
        self.caller.require(self.SERVICE, action, resources, context)

    def serialized(self, action_result: ActionResult) -> Any:
        """Give an error the HTTP status that it names: moto takes it from the service's model, or 400."""
        status, headers, body = super().serialized(action_result)  # type: ignore[misc]  # moto's
        return getattr(action_result.result, "status", status), headers, body

    def _refusal(self, error: AwsError) -> Any:
        status, headers, body = self.serialized(ActionResult(error))
        return status, {**headers, "status": str(status)}, body

    def _authenticate(self) -> Caller:
        request: Any = self.normalized_request  # type: ignore[attr-defined]  # moto's
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = signatures.read(headers)
        sent = signatures.Sent(
            method=request.method,
            host=headers.get("host", ""),
            raw_path=request.environ.get("RAW_URI", "/").partition("?")[0],
            query=request.environ.get("QUERY_STRING", ""),
            headers=headers,
            body=request.environ[RAW_BODY],
        )
        account = signatures.check(signed, sent, CALLERS)
        if signed.service != self.SERVICE:
            raise AwsError(
                "SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{self.SERVICE}'.", 403
            )
        return CALLERS.caller(account, signed.access_key_id)

    def _play_fault(self, service: str, operation: str) -> None:
        fault = FAULTS.take(service, operation)
        if fault is None:
            return
        if fault.kind == "error":
            raise fault_error(service, fault.code or "InternalServerException")
        if fault.kind == "slow":
            time.sleep(1.0 if fault.seconds is None else fault.seconds)
        elif fault.kind == "cut":
            self.normalized_request.environ[CUT]()  # type: ignore[attr-defined]  # moto's


def name_of_role(arn: str) -> str:
    """Return a role's name from its ARN, without the path."""
    return re.sub(r".*/", "", arn)
