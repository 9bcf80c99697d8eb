"""AWS accounts and their roles, as people paste them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers.regions import partitions, shown

SAMPLE_ACCOUNTS: Final = frozenset({"123456789012", "000000000000"})
"""Account numbers that documentation prints and nobody owns."""

_PLACEHOLDER: Final = re.compile(r"(?i)[<>{}$]|\b(your|example|placeholder)\b|your[_-]")
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ROLE_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_PATH: Final = re.compile(r"/(?:[\w+=,.@-]+/)*", re.ASCII)


def parse_account_id(text: str) -> str:
    """Return the twelve digits; AWS's console prints them with dashes, which are taken off."""
    digits = text.strip(" \t\r\n")
    if re.fullmatch(r"[0-9]{4}-[0-9]{4}-[0-9]{4}", digits, re.ASCII):
        digits = digits.replace("-", "")
    if not _ACCOUNT.fullmatch(digits):
        raise ServiceError(
            "invalid_account_id",
            f"{shown(text)} is not an AWS account number.",
            param="account_id",
            fix="Give the twelve digits shown in the top right corner of the AWS console.",
        )
    _refuse_sample_account(digits, "account_id")
    return digits


def _refuse_sample_account(account_id: str, param: str) -> None:
    if account_id in SAMPLE_ACCOUNTS:
        raise ServiceError(
            "placeholder",
            f"{account_id} is the account number that examples use.",
            param=param,
            fix="Replace it by the number of your own AWS account.",
        )


@dataclass(frozen=True, slots=True)
class RoleArn:
    """The ARN of an IAM role: `arn:<partition>:iam::<account>:role<path><name>`, path `/` or `/a/b/`, case kept."""

    partition: str
    account_id: str
    path: str
    name: str

    def __str__(self) -> str:
        """Return the ARN as AWS writes it."""
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.name}"

    @classmethod
    def parse(cls, text: str, *, param: str = "role_arn") -> RoleArn:
        """Parse what a person pasted: ASCII white space around it is dropped, anything else strange is refused."""
        arn = text.strip(" \t\r\n")
        _refuse_strange_characters(arn, param)
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            if _PLACEHOLDER.search(arn):
                raise _placeholder(arn, param)
            raise _not_a_role(arn, param, "It does not begin like an ARN (arn:aws:iam::...).")
        _, partition, service, region, account_id, resource = parts
        kind, slash, rest = resource.partition("/")
        if service == "sts" and kind == "assumed-role" and rest:
            role = f"arn:{partition}:iam::{account_id}:role/{rest.split('/')[0]}"
            raise _not_a_role(arn, param, f"It names a session of a role; the role itself is probably {role}.")
        if service != "iam" or region or kind != "role" or not slash:
            raise _not_a_role(arn, param, f"It names {kind or 'nothing'} of {service or 'no service'}.")
        if partition not in {p.id for p in partitions()}:
            raise _not_a_role(arn, param, f"{shown(partition)} is not a partition of AWS.")
        if not _ACCOUNT.fullmatch(account_id):
            if _PLACEHOLDER.search(account_id):
                raise _placeholder(arn, param)
            raise _not_a_role(arn, param, "The account number must have twelve digits.")
        _refuse_sample_account(account_id, param)
        return cls(partition, account_id, *_parse_role_path(arn, rest, param))


def _parse_role_path(arn: str, rest: str, param: str) -> tuple[str, str]:
    head, slash, name = rest.rpartition("/")
    path = f"/{head}{slash}"
    if path.startswith("/aws-service-role/"):
        raise ServiceError(
            "service_linked_role",
            f"{shown(arn)} is a service-linked role, which only an AWS service can assume.",
            param=param,
            fix="Create a role of your own from the documents of this connection.",
            whose_fix="customer",
        )
    if not _ROLE_NAME.fullmatch(name) or not _ROLE_PATH.fullmatch(path) or len(path) > 512:
        if _PLACEHOLDER.search(rest):
            raise _placeholder(arn, param)
        raise _not_a_role(
            arn, param, "A role's name has 1 to 64 letters, digits and +=,.@-_ characters, its path up to 512."
        )
    return path, name


def _refuse_strange_characters(text: str, param: str) -> None:
    # Zero-width and no-break spaces, smart quotes and look-alike letters survive copy and paste unseen.
    for character in text:
        if not "\x21" <= character <= "\x7e":
            name = unicodedata.name(character, f"control character {ord(character)}")
            raise ServiceError(
                "invalid_character",
                f"The text holds {name} (U+{ord(character):04X}), which no ARN has.",
                param=param,
                fix="Copy the ARN again, or type it by hand.",
            )
    if len(text) > 2048:
        raise _not_a_role(text, param, "It is longer than 2,048 characters.")


def _not_a_role(arn: str, param: str, why: str) -> ServiceError:
    return ServiceError(
        "not_a_role_arn",
        f"{shown(arn)} is not the ARN of an IAM role. {why}",
        param=param,
        fix="Give the role's ARN as the IAM console shows it: arn:aws:iam::<account number>:role/<role name>.",
        whose_fix="customer",
    )


def _placeholder(text: str, param: str) -> ServiceError:
    return ServiceError(
        "placeholder",
        f"{shown(text)} looks like the placeholder of an example.",
        param=param,
        fix="Replace it by the value of your own AWS account.",
        whose_fix="customer",
    )
