"""The sandbox as a whole: the local AWS with its accounts, the token issuer, and Rolecall served on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from chalicelib.onboarding.documents import templates
from chalicelib.onboarding.table import DUE_INDEX
from chalicelib.routes import create_app
from chalicelib.services import Services
from chalicelib.settings import Settings
from sandbox.aws.accounts import SERVICE_ACCOUNT, Accounts, attach_to_service, create_accounts
from sandbox.aws.callers import PARTITION
from sandbox.aws.server import AwsServer
from sandbox.gateway import LocalGateway
from sandbox.issuer import Issuer
from sandbox.providers import Providers

if TYPE_CHECKING:
    from types import TracebackType

    from chalice.app import Chalice

REGION: Final = "us-east-1"
TABLE: Final = "rolecall-local"
TENANT: Final = "acme"
OTHER_TENANT: Final = "globex"
BUILT_IN_MODEL: Final = "amazon.nova-micro-v1:0"


class World:
    """Everything that runs, as a context manager. One for each process, as the local AWS is."""

    aws: AwsServer
    accounts: Accounts
    providers: Providers
    settings: Settings
    services: Services
    app: Chalice
    gateway: LocalGateway

    def __init__(self, *, port: int = 0, aws_port: int = 0, settle_seconds: int = 7) -> None:
        self.issuer = Issuer()
        self._port = port
        self._aws_port = aws_port
        self._settle_seconds = settle_seconds

    def __enter__(self) -> Self:
        """Start the local AWS, make its accounts and the table, and serve Rolecall."""
        self.aws = AwsServer(self._aws_port)
        self.aws.start()
        self.accounts = create_accounts(service_policy())
        attach_to_service(
            "built-in-model",
            templates.policy(
                "built-in-model.json",
                {
                    "partition": PARTITION,
                    "region": REGION,
                    "account_id": SERVICE_ACCOUNT,
                    "model": BUILT_IN_MODEL,
                    "foundation_model": BUILT_IN_MODEL,
                },
            ),
        )
        self._create_table()
        self.providers = Providers().start()
        self.settings = Settings(
            region=REGION,
            table_name=TABLE,
            service_role=self.accounts.service_role,
            tokens=self.issuer.rules(),
            log_level="WARNING",
            verification_settle_seconds=self._settle_seconds,
            aws_endpoint=self.aws.url,
            local_addresses=self.providers.addresses(),
            built_in_model=BUILT_IN_MODEL,
            completions_daily_tokens=1_000_000,
        )
        self.services = Services(self.settings, session=self.accounts.service_session(self.aws.url, REGION))
        self.app = create_app(self.services)
        self.gateway = LocalGateway(self.app, self._port, allowed_origin=self.settings.allowed_origin)
        self.gateway.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all servers."""
        self.gateway.stop()
        self.providers.stop()
        self.aws.stop()

    def wizard(self) -> str:
        """Return the wizard's address with a token: on the loopback it may come in the fragment, and leaves it."""
        return f"{self.gateway.url}/#token={self.issuer.token(TENANT)}"

    def exports(self) -> str:
        """Return shell lines that make the AWS CLI and boto3 the customer's administrator on the local AWS.

        The region stands twice: boto3 and version 1 of the CLI read AWS_DEFAULT_REGION alone; version 2 reads both, and
        AWS_REGION goes first.
        """
        customer, region = self.accounts.customer, self.settings.region
        return (
            f"export AWS_ENDPOINT_URL={self.aws.url} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n"
            f"export AWS_ACCESS_KEY_ID={customer.access_key_id} AWS_SECRET_ACCESS_KEY={customer.secret_access_key}"
        )

    def description(self) -> dict[str, object]:
        """Return what programs need to drive the sandbox from outside."""
        customer = self.accounts.customer
        return {
            "url": self.gateway.url,
            "token": self.issuer.token(TENANT),
            "other_tenant_token": self.issuer.token(OTHER_TENANT),
            "aws_endpoint": self.aws.url,
            "service_account": SERVICE_ACCOUNT,
            "service_role_arn": str(self.accounts.service_role),
            "customer": {
                "account": customer.account,
                "access_key_id": customer.access_key_id,
                "secret_access_key": customer.secret_access_key,
            },
            "providers": {**self.providers.description(), "bedrock": {"key": self.accounts.bedrock_key}},
            "ready": True,
        }

    def _create_table(self) -> None:
        dynamodb = self.accounts.operator.session(REGION).client("dynamodb", endpoint_url=self.aws.url)
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "due_shard", "AttributeType": "S"},
                {"AttributeName": "due_at", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": DUE_INDEX,
                    "KeySchema": [
                        {"AttributeName": "due_shard", "KeyType": "HASH"},
                        {"AttributeName": "due_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )


def service_policy(role_names: str = "*") -> dict[str, Any]:
    """Return policies/service-role.json for the sandbox: the service runs under exactly the policy that is deployed.

    `role_names` is which customers' roles it may assume, the operator's choice.
    """
    values = {
        "partition": PARTITION,
        "region": REGION,
        "account_id": SERVICE_ACCOUNT,
        "table_name": TABLE,
        "role_name_pattern": role_names,
        "stage": "local",
    }
    return templates.policy("service-role.json", values)
