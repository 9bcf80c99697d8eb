"""AWS's partitions and regions, from the data that botocore ships."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import botocore

from chalicelib.errors import ServiceError

_STS_ALWAYS_ON: Final = {"aws": ("us-east-1", "us-west-2"), "aws-us-gov": ("us-gov-west-1", "us-gov-east-1")}
"""Regions whose STS accounts rarely or never switch off (IAM guide, "Activate STS in a Region"), by partition."""
FIPS_HOME_REGIONS: Final = frozenset(
    {"us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2"}
)
"""Where both STS and DynamoDB have FIPS endpoints, in botocore's endpoint data (1.44, 2026-11); a test compares."""


class Partition(NamedTuple):
    """One of AWS's separate clouds: `id` as in ARNs, its DNS suffix and the names of its regions."""

    id: str
    dns_suffix: str
    regions: frozenset[str]


@lru_cache(maxsize=1)
def partitions() -> tuple[Partition, ...]:
    """Return AWS's partitions as botocore knows them; 0.8 ms once, where endpoints.json would take 20."""
    text = (Path(botocore.__file__).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    return tuple(
        Partition(row["id"], row["outputs"]["dnsSuffix"], frozenset(r for r in row["regions"] if "global" not in r))
        for row in json.loads(text)["partitions"]
    )


def partition_of(region: str) -> Partition:
    """Return the partition that has this region. An exact match: `xx-nowhere-9` builds a host name like any other."""
    for partition in partitions():
        if region in partition.regions:
            return partition
    raise ServiceError(
        "unknown_region",
        f"{shown(region)} is not an AWS region.",
        param="region",
        fix="Give the region's code in lower case, for example us-east-1.",
    )


def parse_region(text: str, partition: str) -> str:
    """Return the region when this deployment's partition has it; a role never reaches another partition."""
    found = partition_of(text)
    if found.id != partition:
        raise ServiceError(
            "partition_mismatch",
            f"Region {text} is in partition {found.id}; this service runs in {partition}.",
            param="region",
            fix=f"Choose a region of partition {partition}.",
        )
    return text


def sts_regions(home: str) -> tuple[str, ...]:
    """Return where AssumeRole is called: at home, then once elsewhere for accounts that have STS off at home."""
    others = [region for region in _STS_ALWAYS_ON.get(partition_of(home).id, ()) if region != home]
    return (home, *others[:1])


def shown(text: str) -> str:
    """Quote foreign text for a message: bounded, and escaped so that it can't change what a terminal or log shows."""
    return ascii(text if len(text) <= 100 else text[:97] + "...")
