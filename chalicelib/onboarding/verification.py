"""Decide whether a customer's role is safe to use.

1. The role can be assumed with the external ID of this connection.
2. It can't be assumed without one: else whoever learns its ARN could have us use it.
3. It can't be assumed with another one, alike at both ends: a pattern such as `rolecall-*` is no comparison.
4. It can't be assumed with one of another form: a condition may ask for an ID and take any.
5. It can't be assumed with the same ID in other case: comparisons that ignore case are not what we gave.
6. The session can list models, and 7. invoke one, with at most one token of answer.

Steps 1 to 5 run side by side and decide alone. Steps 2 to 5 pass when AWS answers AccessDenied, and mean something only
once step 1 passed: a role that refuses everyone refuses strangers too. Any other answer is inconclusive, and an
inconclusive step never makes a connection active. Where IAM may only need time the five are run again (`patience`), and
the last try decides. Steps 6 and 7 say whether the connection is usable. They are run for a verified role alone: one
that lets strangers in lets in a tenant who is not its owner, and a model would be invoked in somebody else's account.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.bedrock.sessions import Session
from chalicelib.onboarding import edits, findings, probes, usability
from chalicelib.onboarding.checks import BY_ID, LET_IN, Check, Result, verdict
from chalicelib.onboarding.connection import Verdict
from chalicelib.onboarding.diagnosis import Denial
from chalicelib.onboarding.patience import Waiting, pauses
from chalicelib.onboarding.probes import Inconclusive, Passed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chalicelib.bedrock.catalog import Catalog
    from chalicelib.bedrock.sessions import Grant, StsClients
    from chalicelib.bedrock.wire import Wire
    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.findings import Finding
    from chalicelib.onboarding.probes import Outcome
    from chalicelib.services import Services


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: a connection, the role that it would use, and which model to invoke, if any."""

    connection: Connection
    grant: Grant
    service_role: RoleArn
    invoke: bool | str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the five probes of one try answered."""

    agreed: Session | Refused | Inconclusive
    strangers: Mapping[Check, Outcome]

    @property
    def let_in(self) -> tuple[str, ...]:
        return tuple(check.id for check, outcome in self.strangers.items() if isinstance(outcome, Passed))

    def worth_waiting(self, budget: int) -> int:
        """Return how many seconds in all IAM may be waited for; an open role is likelier meant than a shut one."""
        if isinstance(self.agreed, Refused) and self.agreed.refusal.code == "assume_role_denied":
            return budget
        return budget // 2 if isinstance(self.agreed, Session) and self.let_in else 0


class Verification:
    """One run of the checks. `run` does it; afterwards the rest says what came of it."""

    def __init__(self, subject: Subject, services: Services, wire: Wire) -> None:
        self.subject = subject
        self.results: list[Result] = []
        self.more: list[Finding] = []
        """Findings that belong to no single check."""
        self.attempts = 0
        self.role_unique_id: str | None = None
        self.outgoing: Outcome | None = None
        self.catalog: Catalog | None = None
        self._services = services
        self._sts: StsClients = services.sts_clients
        self._random_bytes: Callable[[int], bytes] = services.random_bytes
        self._wire = wire

    def run(self) -> Iterator[Result | Waiting]:
        """Yield each check's result, `skipped` for what was not run: all that can be told is told at once."""
        attempt = self._attempt()
        waited, budget = 0, self._services.settings.verification_settle_seconds
        for pause in pauses(budget):
            if waited + pause > attempt.worth_waiting(budget):
                break
            yield Waiting(self.attempts, pause, _reason(attempt))
            self._services.sleep(pause)
            waited += pause
            attempt = self._attempt()
        for result in self._judged(attempt):
            self.results.append(result)
            yield result
        for result in self._used(attempt.agreed):
            self.results.append(result)
            yield result

    def _attempt(self) -> _Attempt:
        self.attempts += 1
        grant = self.subject.grant
        strangers = list(self._strangers())
        with ThreadPoolExecutor(max_workers=5, thread_name_prefix="probe") as pool:
            agreed = pool.submit(probes.assume_as_agreed, self._sts, grant)
            asked = {
                check: pool.submit(
                    probes.assume_as_stranger, self._sts, grant.role_arn, external_id, grant.connection_id
                )
                for check, external_id in strangers
            }
            return _Attempt(agreed.result(), {check: future.result() for check, future in asked.items()})

    def _strangers(self) -> Iterator[tuple[Check, str | None]]:
        yield BY_ID["refused_without_external_id"], None
        own = self.subject.grant.external_id
        yield BY_ID["refused_with_similar_external_id"], probes.similar_external_id(own, self._random_bytes)
        yield BY_ID["refused_with_foreign_external_id"], probes.foreign_external_id(self._random_bytes)
        yield BY_ID["refused_with_other_case"], probes.other_case(own)

    def _judged(self, attempt: _Attempt) -> Iterator[Result]:
        match attempt.agreed:
            case Session():
                yield Result(LET_IN, Passed.word)
            case Inconclusive(refusal):
                yield Result(LET_IN, Inconclusive.word, (findings.probe_inconclusive(LET_IN.title, refusal),))
            case Refused(refusal):
                subject = self.subject
                denial = Denial(subject.connection, subject.grant, subject.service_role, refusal, attempt.let_in)
                yield Result(LET_IN, Refused.word, (denial.explained(self._sts),))
        for check, outcome in attempt.strangers.items():
            yield self._kept_out(check, outcome)

    def _kept_out(self, check: Check, outcome: Outcome) -> Result:
        match outcome:
            case Passed():
                finding = findings.external_id_not_enforced(
                    self.subject.grant.role_arn,
                    [check.id],
                    edits.trust_policy(self.subject.connection, self.subject.service_role),
                )
                return Result(check, outcome.word, (finding,))
            case Inconclusive(refusal):
                return Result(check, outcome.word, (findings.probe_inconclusive(check.title, refusal),))
            case Refused():
                return Result(check, outcome.word)

    def _used(self, session: Session | Refused | Inconclusive) -> Iterator[Result]:
        if not isinstance(session, Session) or verdict(self.results) is not Verdict.VERIFIED:
            # Whose role it is has not been shown: its session goes no further than this.
            yield from usability.skipped()
            return
        self.role_unique_id = session.role_unique_id
        home = self._services.settings.region
        if session.sts_region != home:
            self.more.append(findings.sts_off_at_home(home, session.sts_region))
        grant = self.subject.grant
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="excess") as pool:
            excess = pool.submit(probes.may_do_more, self._sts, grant, self._wire)
            trial = usability.Trial(self.subject.connection, session.credentials, self._wire)
            yield trial.list_models()
            self.catalog = trial.catalog
            yield trial.invoke(self.subject.invoke)
            if excess.result():
                edit = edits.permissions(self.subject.connection)
                self.more.append(findings.over_privileged(grant.role_arn, edit))

    def try_outgoing_id(self) -> None:
        """Find out whether the role still takes the external ID that is being replaced; say so if it does.

        Called once the new ID was verified: until then the old one is in use and must be taken.
        """
        outgoing = self.subject.connection.outgoing_id
        if outgoing is None:
            return
        grant = self.subject.grant
        self.outgoing = probes.assume_as_stranger(self._sts, grant.role_arn, str(outgoing), grant.connection_id)
        match self.outgoing:
            case Passed():
                promoted = edits.trust_policy(self.subject.connection.promoted(), self.subject.service_role)
                self.more.append(findings.outgoing_id_still_taken(grant.role_arn, str(outgoing), promoted))
            case Inconclusive(refusal):
                self.more.append(findings.probe_inconclusive("Refuses the old external ID", refusal))
            case Refused():
                pass


def _reason(attempt: _Attempt) -> str:
    if isinstance(attempt.agreed, Session):
        return "The role still lets strangers in; if it was just changed, IAM needs some seconds."
    return "The role refuses us; if it was just made or changed, IAM needs some seconds."
