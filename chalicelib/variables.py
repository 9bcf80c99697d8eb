"""How a setting is read from a variable of the environment: which forms there are, and what is wrong with a text.

Reads no environment itself: `settings` hands it one.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers import ModelId, RoleArn, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ORIGIN: Final = re.compile(
    r"https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?", re.ASCII
)
_LOOPBACK: Final = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}", re.ASCII)

ASYMMETRIC_ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA",
)  # fmt: skip
"""What may sign a token. No HMAC: with a shared secret, whoever can verify a token can also make one."""
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment: how its text becomes a value, and what it is for, in words for operators."""

    name: str
    parse: Callable[[str], Any]
    help: str


def variable(name: str, parse: Callable[[str], object], purpose: str) -> dict[str, Variable]:
    """Return a dataclass field's metadata: the field is read from this variable."""
    return {"variable": Variable(name, parse, purpose)}


def read(kind: type, environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Return the arguments of a dataclass that `environ` gives; what is wrong with it is added to `problems`.

    A variable that is not set, or empty, leaves the field its default; without one it is a problem.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        declared: Variable | None = field.metadata.get("variable")
        if declared is None:
            continue
        text = environ.get(declared.name)
        if not text:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                problems.append(f"{declared.name} is not set.")
            continue
        try:
            values[field.name] = declared.parse(text)
        except (ValueError, ServiceError) as error:
            problems.append(f"{declared.name}: {error}")
    return values


def region(text: str) -> str:
    """Return an AWS region."""
    partition_of(text)
    return text


def role(text: str) -> RoleArn:
    """Return the ARN of an IAM role."""
    return RoleArn.parse(text, param="SERVICE_ROLE_ARN")


def table_name(text: str) -> str:
    """Return a DynamoDB table's name."""
    if not re.fullmatch(r"[\w.-]{3,255}", text, re.ASCII):
        raise ValueError("a DynamoDB table's name has 3 to 255 letters, digits and ._- characters.")
    return text


def origin(text: str) -> str:
    """Return one web origin."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError("give one web origin such as https://app.example.com, without a path; * is not taken.")
    return text


def origins(text: str) -> tuple[str, ...]:
    """Return web origins."""
    return tuple(origin(one.strip()) for one in text.split(","))


def switch(text: str) -> bool:
    """Return whether something is on."""
    if text not in {"on", "off"}:
        raise ValueError("give on or off.")
    return text == "on"


def jwks_url(text: str) -> str:
    """Return the address of an issuer's keys."""
    if not text.startswith("https://"):
        raise ValueError("the address of the issuer's keys must begin with https://.")
    return text


def s3_address(text: str) -> str:
    """Return the address of a folder in S3, as CloudFormation takes it."""
    if not re.fullmatch(
        r"https://[a-z0-9.-]+\.s3\.[a-z0-9-]+\.amazonaws\.com(\.cn)?(/[A-Za-z0-9._-]+)*", text, re.ASCII
    ):
        raise ValueError("give an address in S3 such as https://bucket.s3.us-east-1.amazonaws.com/folder.")
    return text


def proxy_url(text: str) -> str:
    """Return the address of an HTTP proxy."""
    if not re.fullmatch(r"https?://([^\s/@]+@)?[A-Za-z0-9.-]+:[0-9]{1,5}/?", text):
        raise ValueError("give the proxy's address with its port, such as http://proxy.example.com:3128.")
    return text


def model_patterns(text: str) -> tuple[str, ...]:
    """Return names of models, each with * for any part."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(re.fullmatch(r"[\w.:*-]{1,100}", name, re.ASCII) for name in names):
        raise ValueError("give names of models with commas between them; * stands for any part of a name.")
    return names


def bedrock_model(text: str) -> str:
    """Return the id of a model or inference profile of Bedrock."""
    if not ModelId.may_be(text) or text.startswith("arn:"):
        raise ValueError("give the id of a model or inference profile of Bedrock, such as amazon.nova-micro-v1:0.")
    return text


def local_addresses(text: str) -> dict[str, str]:
    """Return addresses on the loopback by the hosts that they stand in for."""
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    for host, _, address in pairs:
        if not re.fullmatch(r"[a-z0-9.-]+", host, re.ASCII) or not _LOOPBACK.fullmatch(address):
            raise ValueError("give host=http://127.0.0.1:port, with commas between several.")
    return {host: address for host, _, address in pairs}


def pem(text: str) -> str:
    """Return a public key in PEM form; environment variables can't hold line breaks everywhere: backslash-n is one."""
    key = text.replace("\\n", "\n")
    if "-----BEGIN PUBLIC KEY-----" not in key:
        raise ValueError("give a public key in PEM form (-----BEGIN PUBLIC KEY-----).")
    return key


def algorithms(text: str) -> tuple[str, ...]:
    """Return algorithms that may sign a token."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in ASYMMETRIC_ALGORITHMS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(ASYMMETRIC_ALGORITHMS)}.")
    return names


def log_level(text: str) -> str:
    """Return a level of the log."""
    if text not in LEVELS:
        raise ValueError(f"give one of {', '.join(LEVELS)}.")
    return text


def text(most: int) -> Callable[[str], str]:
    """Return a reader of texts of at most this many characters."""

    def parse(given: str) -> str:
        if len(given) > most or not given.strip():
            raise ValueError(f"give a text of at most {most} characters.")
        return given

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within these bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}.")
        return int(text)

    return parse
