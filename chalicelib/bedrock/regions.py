"""Where AWS has Bedrock: a region without it is a host name that does not resolve, and nothing else tells."""

from __future__ import annotations

from typing import Final

from chalicelib.errors import ServiceError

REGIONS: Final = frozenset(
    {
        "af-south-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eusc-de-east-1",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-gov-east-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "us-isof-east-1",
        "us-isof-south-1",
        "us-west-1",
        "us-west-2",
    }
)
"""Regions of Bedrock in botocore's endpoint data (1.44, 2026-11); a test compares."""

FIPS_REGIONS: Final = frozenset(
    {"ca-central-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-2"}
)
"""Regions where both of Bedrock's services have FIPS endpoints, in the same data; a test compares."""


def require_endpoint(region: str, *, fips: bool) -> None:
    """Raise `ServiceError` `no_fips_endpoint` where a deployment that uses FIPS endpoints alone could call none.

    Better said than looked for: its host would not resolve, and the plain one must not answer instead.
    """
    if fips and region not in FIPS_REGIONS:
        raise ServiceError(
            "no_fips_endpoint",
            f"This deployment uses FIPS endpoints, and Bedrock has none in {region}.",
            param="region",
            fix=f"Choose one of {', '.join(sorted(FIPS_REGIONS))} in your partition.",
        )


def has_no_bedrock(region: str) -> bool:
    """Whether, as far as is known, the region has no Bedrock: the likely reason when nobody answers there."""
    return region not in REGIONS
