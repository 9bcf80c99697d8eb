"""What every row is measured on: the stub, tenants with a connection each, and the service beside raw boto3."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Self

from bench.aws import RawBoto3, Stub
from bench.service import Rolecall, connect
from sandbox.issuer import Issuer

if TYPE_CHECKING:
    from types import TracebackType

    from bench.aws import Address
    from chalicelib.settings import TokenRules


class Stage:
    """Everything that runs, as a context manager."""

    stub: Stub

    def __enter__(self) -> Self:
        """Start the stub."""
        self._issuer = Issuer()
        self._numbers = itertools.count(1)
        with ExitStack() as stack:
            self.stub = stack.enter_context(Stub())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._stack.close()

    @property
    def address(self) -> Address:
        """Where the stub is."""
        return self.stub.address

    @property
    def rules(self) -> TokenRules:
        """What the service must ask of a token."""
        return self._issuer.rules()

    @cached_property
    def boto3(self) -> RawBoto3:
        """Raw boto3 with a session of a role."""
        return RawBoto3(self.address)

    @cached_property
    def rolecall(self) -> Rolecall:
        """The service; rows that need empty caches take `new_service`."""
        return self.new_service()

    def new_service(self) -> Rolecall:
        """Return a service that knows nothing yet."""
        return Rolecall(self.address, self.rules)

    def token(self, kind: str = "Plain") -> str:
        """Return a token of a new tenant with an active connection; `kind` says how its role behaves."""
        return self.tokens(1, kind)[0]

    def tokens(self, count: int, kind: str = "Plain") -> list[str]:
        """Return tokens of so many new tenants."""
        tenants = [f"tenant-{next(self._numbers)}" for _ in range(count)]
        connect(self.address, tenants, kind=kind)
        return [self._issuer.token(tenant, subject="app", scopes="models:invoke") for tenant in tenants]
