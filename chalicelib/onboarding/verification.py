"""Decide whether a customer's role is safe to use.

1. The role can be assumed with the external ID of this connection.
2. It can't be assumed without one: else whoever learns its ARN could have us use it.
3. It can't be assumed with another one of our form: a pattern such as `rolecall-*` is no comparison.
4. It can't be assumed with one of another form: a condition may ask for an ID and take any.
5. It can't be assumed with the same ID in other case: comparisons that ignore case are not what we gave.
6. The session can list models, and 7. invoke one, with at most one token of answer.

Steps 1 to 5 run side by side and decide alone. Steps 2 to 5 pass when AWS answers AccessDenied, and mean something only
once step 1 passed: a role that refuses everyone refuses strangers too. Any other answer is inconclusive, and an
inconclusive step never makes a connection active. Steps 6 and 7 say whether the connection is usable.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.bedrock.sessions import Session
from chalicelib.onboarding import findings, probes, usability
from chalicelib.onboarding.checks import BY_ID, LET_IN, Check, Result
from chalicelib.onboarding.probes import Inconclusive, Passed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sts import STSClient

    from chalicelib.bedrock.sessions import Grant
    from chalicelib.bedrock.wire import Wire
    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.findings import Finding
    from chalicelib.onboarding.probes import Outcome


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: a connection, the role that it would use, and which model to invoke, if any."""

    connection: Connection
    grant: Grant
    service_role: RoleArn
    invoke: bool | str


class Verification:
    """One run of the checks. `run` does it; afterwards the rest says what came of it."""

    def __init__(self, subject: Subject, sts: STSClient, wire: Wire, random_bytes: Callable[[int], bytes]) -> None:
        self.subject = subject
        self.results: list[Result] = []
        self.role_unique_id: str | None = None
        self.outgoing: Outcome | None = None
        self._sts = sts
        self._wire = wire
        self._random_bytes = random_bytes

    def run(self) -> Iterator[Result]:
        """Yield each check's result as soon as it is there. None is left out, so that all can be mended at once."""
        for result in self._run():
            self.results.append(result)
            yield result

    def _run(self) -> Iterator[Result]:
        grant = self.subject.grant
        with ThreadPoolExecutor(max_workers=5, thread_name_prefix="probe") as pool:
            agreed = pool.submit(probes.assume_as_agreed, self._sts, grant)
            strangers: dict[Future[Outcome], Check] = {
                pool.submit(
                    probes.assume_as_stranger, self._sts, grant.role_arn, external_id, grant.connection_id
                ): check
                for check, external_id in self._strangers()
            }
            waiting: list[Future[Any]] = [agreed, *strangers]
            for done in as_completed(waiting):
                if done is agreed:
                    yield _let_in(self.subject, agreed.result())
                else:
                    yield _kept_out(strangers[done], grant.role_arn, done.result())
        session = agreed.result()
        if isinstance(session, Session):
            self.role_unique_id = session.role_unique_id
            yield from usability.list_and_invoke(
                self.subject.connection, session.credentials, self._wire, self.subject.invoke
            )
        else:
            yield from usability.skipped()

    def _strangers(self) -> Iterator[tuple[Check, str | None]]:
        yield BY_ID["refused_without_external_id"], None
        yield BY_ID["refused_with_similar_external_id"], probes.similar_external_id(self._random_bytes)
        yield BY_ID["refused_with_foreign_external_id"], probes.foreign_external_id(self._random_bytes)
        yield BY_ID["refused_with_other_case"], probes.other_case(self.subject.grant.external_id)

    def try_outgoing_id(self) -> tuple[Finding, ...]:
        """Find out whether the role still takes the external ID that is being replaced; say so if it does.

        Called once the new ID was verified: until then the old one is in use and must be taken.
        """
        outgoing = self.subject.connection.outgoing_id
        if outgoing is None:
            return ()
        grant = self.subject.grant
        self.outgoing = probes.assume_as_stranger(self._sts, grant.role_arn, str(outgoing), grant.connection_id)
        match self.outgoing:
            case Passed():
                return (findings.outgoing_id_still_taken(grant.role_arn, str(outgoing)),)
            case Inconclusive():
                return (findings.probe_inconclusive("Refuses the old external ID", self.outgoing.refusal),)
            case Refused():
                return ()


def _let_in(subject: Subject, answer: Session | Refused | Inconclusive) -> Result:
    if isinstance(answer, Session):
        return Result(LET_IN, Passed.word)
    if isinstance(answer, Inconclusive):
        return Result(LET_IN, answer.word, (findings.probe_inconclusive(LET_IN.title, answer.refusal),))
    denied = findings.assume_role_denied(
        subject.connection, subject.grant.role_arn, subject.service_role, answer.refusal
    )
    return Result(LET_IN, answer.word, (denied,))


def _kept_out(check: Check, role_arn: RoleArn, outcome: Outcome) -> Result:
    match outcome:
        case Passed():
            return Result(check, outcome.word, (findings.external_id_not_enforced(role_arn, [check.id]),))
        case Inconclusive():
            return Result(check, outcome.word, (findings.probe_inconclusive(check.title, outcome.refusal),))
        case Refused():
            return Result(check, outcome.word)
