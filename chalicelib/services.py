"""The service's own account: its AWS clients, its clock and its random source, built once and passed in."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from chalicelib.bedrock.signing import Credentials
from chalicelib.identifiers import sts_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import botocore.session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sts import STSClient

    from chalicelib.settings import Settings


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


class Services:
    """What the rooms ask for instead of building it: clients are made when first needed, one for each region.

    `session` is a botocore session with the service's own credentials; without one, botocore finds them as it always
    does. boto3 would add to it what nothing here needs, and a quarter of the time that it takes to load.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        session: botocore.session.Session | None = None,
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], None] = time.sleep,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.sleep = sleep
        self.random_bytes = random_bytes
        self._session = session
        self._lock = threading.Lock()
        self._sts: dict[str, STSClient] = {}
        self._dynamodb: DynamoDBClient | None = None

    @property
    def sts_clients(self) -> Sequence[Callable[[], STSClient]]:
        """STS where AssumeRole is called, in order."""
        return [partial(self.sts, region) for region in sts_regions(self.settings.region)]

    def sts(self, region: str) -> STSClient:
        """Return the STS client of a region: sessions of a regional endpoint are valid in every region."""
        client = self._sts.get(region)
        if client is None:
            with self._lock:
                client = self._sts.get(region)
                if client is None:
                    client = self._sts[region] = self._client("sts", region, read_timeout=5)
        return client

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The client of the service's table."""
        if self._dynamodb is None:
            with self._lock:
                if self._dynamodb is None:
                    self._dynamodb = self._client("dynamodb", self.settings.region, read_timeout=3)
        return self._dynamodb

    def own_credentials(self) -> Credentials:
        """Return the service's own credentials, for the operator's model alone. Raises `BotoCoreError` without any."""
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415  loaded with the session

        found = self._own_session().get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")

    def _client(
        self, service: str, region: str, *, read_timeout: float
    ) -> Any:  # botocore makes its classes as it runs
        return self._own_session().create_client(
            service,
            region_name=region,
            endpoint_url=self.settings.aws_endpoint,
            config=_config(read_timeout, self.settings),
        )

    def _own_session(self) -> botocore.session.Session:
        if self._session is None:
            from botocore.session import get_session  # noqa: PLC0415  what importing this module must not cost

            self._session = get_session()
        return self._session


def _config(read_timeout: float, settings: Settings) -> Config:
    """Return how the service's own clients behave: bounded, and deaf to endpoint variables in the environment.

    AWS_ENDPOINT_URL_STS would send customers' external IDs wherever it points.
    """
    from botocore.config import Config  # noqa: PLC0415  as above

    return Config(  # type: ignore[call-arg]  # the stubs lack ignore_configured_endpoint_urls
        connect_timeout=2,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 2},
        ignore_configured_endpoint_urls=True,
        max_pool_connections=32,
        user_agent_extra="rolecall",
        # Said either way: left out, botocore asks the environment.
        use_fips_endpoint=settings.use_fips,
        use_dualstack_endpoint=False,
        # Without a mapping botocore asks the environment for proxies.
        proxies={"https": settings.proxy_url} if settings.proxy_url else {},
    )
