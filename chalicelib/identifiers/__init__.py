"""Names that come from outside, parsed once and trusted afterwards.

Each class has one constructor for foreign text, `parse`, which raises `ServiceError` (422 at the edge) and says what
is wrong with the text itself. Nothing here asks AWS. Sources: IAM quotas and identifiers (docs.aws.amazon.com, "IAM
and STS quotas"), STS AssumeRole (API reference), botocore's partition data.
"""

from chalicelib.identifiers.accounts import RoleArn, parse_account_id
from chalicelib.identifiers.models import LISTED_AS, ModelId, parse_guardrail, parse_model_scope
from chalicelib.identifiers.ours import ConnectionId, ExternalId
from chalicelib.identifiers.regions import (
    FIPS_HOME_REGIONS,
    Partition,
    parse_region,
    partition_of,
    partitions,
    sts_regions,
)

__all__ = [
    "FIPS_HOME_REGIONS",
    "LISTED_AS",
    "ConnectionId",
    "ExternalId",
    "ModelId",
    "Partition",
    "RoleArn",
    "parse_account_id",
    "parse_guardrail",
    "parse_model_scope",
    "parse_region",
    "partition_of",
    "partitions",
    "sts_regions",
]
