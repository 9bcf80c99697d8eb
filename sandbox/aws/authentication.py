"""The door of every service: the signature is checked, the caller known, the call recorded, and faults are played.

A mix-in for moto's response classes; it comes first among their bases. moto alone would take the caller's account from
a header that anybody can send and the region from the User-Agent: here both come from the signature.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.model import OperationNotFoundError
from moto.core.responses import ActionResult

from sandbox.aws import signatures
from sandbox.aws.callers import CALLERS, Caller
from sandbox.aws.errors import WORDS, AwsError, fault_error
from sandbox.aws.switches import CALLS, FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Authenticated", "AwsError", "Caller"]

RAW_BODY: Final = "sandbox.body"
"""Where the server keeps the octets of the body: what was signed is compared with what arrived."""
CUT: Final = "sandbox.cut"
"""Set to have the server reset the connection instead of answering."""
_SCOPE: Final = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/", re.ASCII)
_BEARER: Final = "Bearer "
_API_KEYS: Final = ("Bearer ABSK", "Bearer bedrock-api-key-")
"""What Bedrock's API keys begin with, the long-lived ones and the short-lived."""
_NOBODYS_ACCOUNT: Final = "000000000000"
_USUAL_SECONDS: Final = 1.0


class Authenticated:
    """Checks who calls before the operation runs; `self.caller` is known to it."""

    SERVICE: ClassVar[str]
    """The name of the credential scope: sts, iam, dynamodb or bedrock."""
    caller: Caller

    def __init__(self) -> None:
        super().__init__()
        # moto parses before anyone is authenticated, and answers what it can't parse with a page of HTML.
        self._parses: bool = self.automated_parameter_parsing  # type: ignore[has-type]  # moto's
        self.automated_parameter_parsing = False

    def get_access_key(self) -> str:
        """Return the key that the request claims to be signed with."""
        return self._scope()[0]

    def get_current_account(self) -> str:
        """Return the account of that key, whatever a header says."""
        found = CALLERS.keys(self.get_access_key())
        return _NOBODYS_ACCOUNT if found is None else found[0]

    def get_region_from_url(self, request: object, full_url: str) -> str:  # noqa: ARG002  moto's signature
        """Return the region of the signature's scope, whatever address and User-Agent say."""
        return self._scope(request)[1]

    def _scope(self, request: Any = None) -> tuple[str, str]:
        text = (request or self.normalized_request).headers.get("Authorization", "")  # type: ignore[attr-defined]
        if text.startswith(_API_KEYS):
            # The region of such a call is its host's, and here one address stands for all of them.
            return CALLERS.of_api_key(text.removeprefix(_BEARER)) or "", "us-east-1"
        found = _SCOPE.search(text)
        return ("", "us-east-1") if found is None else (found[1], found[2])

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        """Leave out moto's own check: it is this class's work."""

    def call_action(self) -> Any:  # moto's triple of status, headers and body
        """Authenticate, then run the operation. Every call is recorded with its status, refused ones too."""
        service = str(getattr(self, "BOTO_SERVICE", self.SERVICE))
        operation = self._get_action()  # type: ignore[attr-defined]  # moto's
        record = CALLS.begin(service, operation)
        try:
            answer = self._admit_and_run(service, operation, record)
        except ConnectionResetError:
            raise
        except Exception:
            CALLS.end(record, 500)
            raise
        CALLS.end(record, int(answer[0]))
        return answer

    def _admit_and_run(self, service: str, operation: str, record: dict[str, object]) -> Any:
        try:
            self.caller = self._authenticate()
            record["account"], record["principal"] = self.caller.account, self.caller.arn
            self._play_fault(service, operation, record)
            self._parse(operation)
            self.admit(operation)
            return self.run(operation)
        except AwsError as error:
            return self._refusal(error)

    def run(self, operation: str) -> Any:
        """Run the operation that was admitted."""
        try:
            return super().call_action()  # type: ignore[misc]  # moto's
        except NotImplementedError:
            raise self._unknown(operation) from None

    def admit(self, operation: str) -> None:
        """Say no to what the caller's policies do not allow; services whose operations ask by themselves leave it."""

    def require(self, action: str, resources: Iterable[str], context: Mapping[str, str] | None = None) -> None:
        """Raise AWS's AccessDenied unless the caller's policies allow the action on every one of the resources.

        `context` holds condition keys beyond those that every request has.
        """
        self.caller.require(self.SERVICE, action, resources, {**self.request_context(), **(context or {})})

    def request_context(self) -> dict[str, str]:
        """Return the condition keys of every request. AWS takes HTTPS alone, so the loopback stands for it."""
        now = datetime.now(UTC)
        return {
            "aws:CurrentTime": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "aws:EpochTime": str(int(now.timestamp())),
            "aws:RequestedRegion": self.region,  # type: ignore[attr-defined]  # moto's
            "aws:SecureTransport": "true",
            "aws:SourceIp": "127.0.0.1",
            "aws:userid": self.caller.user_id,
        }

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
        if self.SERVICE == "bedrock" and headers.get("authorization", "").startswith(_API_KEYS):
            return self._of_api_key()
        sent = signatures.Sent(
            method=request.method,
            host=headers.get("host", ""),
            raw_path=request.environ.get("RAW_URI", "/").partition("?")[0],
            query=request.environ.get("QUERY_STRING", ""),
            headers=headers,
            body=request.environ[RAW_BODY],
        )
        account, signed = signatures.check(self.SERVICE, sent, CALLERS)
        return CALLERS.caller(account, signed.access_key_id)

    def _of_api_key(self) -> Caller:
        found = CALLERS.keys(self.get_access_key())
        if found is None:
            # As its users quote it: github.com/ai4s-research/open-science/issues/53.
            message = "Authentication failed: Please make sure your API Key is valid."
            raise AwsError("AccessDeniedException", message, 403)
        return CALLERS.caller(found[0], self.get_access_key())

    def _parse(self, operation: str) -> None:
        if not self._parses:
            return
        self.automated_parameter_parsing = True
        words = WORDS[self.SERVICE]
        try:
            self.parse_parameters(self.normalized_request)  # type: ignore[attr-defined]  # moto's
        except OperationNotFoundError:
            raise self._unknown(operation) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise AwsError(words.unreadable, f"The request can't be read: {type(error).__name__}.") from error

    def _unknown(self, operation: str) -> AwsError:
        return AwsError(WORDS[self.SERVICE].unknown_operation, f"Could not find operation {operation[:100]}")

    def _play_fault(self, service: str, operation: str, record: dict[str, object]) -> None:
        fault = FAULTS.take(service, operation, self.region)  # type: ignore[attr-defined]  # moto's
        if fault is None:
            return
        if fault.kind == "error":
            raise fault_error(service, str(fault.code), fault.message)
        if fault.kind == "slow":
            time.sleep(_USUAL_SECONDS if fault.seconds is None else fault.seconds)
        elif fault.kind == "cut":
            CALLS.end(record, 0)
            self.normalized_request.environ[CUT]()  # type: ignore[attr-defined]  # moto's
