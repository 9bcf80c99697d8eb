"""The issuer's keys: one that is set, or a key set that is fetched (RFC 7517) and kept."""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from chalicelib.bedrock.transport import exchange, pool
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import urllib3

log = logging.getLogger(__name__)

_KEPT: Final = timedelta(minutes=10)
_PAUSE: Final = timedelta(minutes=1)
"""How long nobody asks again while there are keys to use, whatever the issuer or a token says."""
_STALE: Final = timedelta(hours=24)
"""How long keys are still used when the issuer can't be reached: its outage is not one of this service's."""
_RETRY: Final = timedelta(seconds=5)
"""How long nobody asks again after a failure that left no keys to use."""
_LARGEST: Final = 256 * 1024
_SECONDS: Final = 3.0
"""All that a fetch may take: callers wait for it, and whoever makes a key id up can have one begun."""
_LEAST_RSA_BITS: Final = 2048
_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_CURVE_NAMES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]+)?/")


class FixedKey:
    """One public key, in PEM."""

    def __init__(self, pem: str) -> None:
        self._pem = pem
        self._key: Any = None

    def find(self, _: object, algorithm: str) -> Any:
        """Return the key. Its kind must be that of the algorithm, else a public key could pass for a shared secret.

        Raises `keys_unavailable` when the PEM can't be read: that is the operator's fault, not the token's.
        """
        if self._key is None:
            from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  see auth.py
            from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

            try:
                self._key = load_pem_public_key(self._pem.encode())
            except (ValueError, UnsupportedAlgorithm):
                raise ServiceError(
                    "keys_unavailable",
                    "The token can't be verified: the service's JWT_PUBLIC_KEY can't be read.",
                    fix="Have the operator set JWT_PUBLIC_KEY to a public key in PEM form.",
                    whose_fix="operator",
                    retry_after=60,
                ) from None
        _require_kind(self._key, algorithm)
        return self._key


@dataclass(frozen=True, slots=True)
class _Fetched:
    """The keys of one answer. Whole and unchanging, so that threads can read it without a lock."""

    keys: tuple[Mapping[str, Any], ...]
    at: datetime
    fresh_until: datetime


class KeySet:
    """A key set behind an address, fetched when it is needed and at most once a minute."""

    def __init__(self, url: str, clock: Callable[[], datetime]) -> None:
        if not url.startswith("https://") and not _LOOPBACK.match(url):
            raise ValueError("the address of a key set must begin with https://")
        self._url = url
        self._clock = clock
        self._pool = pool(None, own_roots=False)
        self._lock = threading.Lock()
        self._fetched: _Fetched | None = None
        self._tried_at: datetime | None = None

    def find(self, kid: object, algorithm: str) -> Any:
        """Return the key for a token's header. Raises `keys_unavailable` when there is none to look in."""
        fetched = self._current()
        key = _match(fetched.keys, kid, algorithm)
        if key is None:
            key = _match(self._newer(fetched).keys, kid, algorithm)
        if key is None:
            raise ServiceError(
                "invalid_token",
                "The token is not accepted. It is signed with a key that its issuer does not have.",
                fix="Get a new token and try again.",
                param="Authorization",
            )
        return key

    def _current(self) -> _Fetched:
        """Return keys no older than a day. While one caller renews them, the others go on with those that there are."""
        usable = self._usable()
        if usable is not None and self._clock() < usable.fresh_until:
            return usable
        if self._lock.acquire(blocking=usable is None):
            try:
                self._try_to_fetch()
            finally:
                self._lock.release()
        usable = self._usable()
        if usable is None:
            raise ServiceError(
                "keys_unavailable",
                "The token can't be verified at the moment: its issuer's keys can't be had.",
                fix="Try again.",
                retry_after=int(_RETRY.total_seconds()),
                whose_fix="operator",
            )
        return usable

    def _newer(self, seen: _Fetched) -> _Fetched:
        """Return what the issuer has now, for a key id that `seen` lacks.

        Whoever comes while it is fetched waits: after the issuer's change of keys all of their tokens are good.
        """
        with self._lock:
            self._try_to_fetch()
            return self._fetched or seen

    def _usable(self) -> _Fetched | None:
        fetched = self._fetched
        return fetched if fetched is not None and self._clock() - fetched.at <= _STALE else None

    def _try_to_fetch(self) -> None:
        """With the lock held, fetch the keys, unless that was tried lately, as by whom this caller waited for.

        A failure leaves the keys as they are.
        """
        # Neither tokens with made-up key ids nor an outage must make this service hammer the issuer.
        pause = _RETRY if self._usable() is None else _PAUSE
        if self._tried_at is not None and self._clock() - self._tried_at < pause:
            return
        try:
            keys, kept = self._fetch()
        except (HTTPError, ValueError) as error:
            log.warning("the issuer's keys can't be fetched: %s", type(error).__name__)
        else:
            now = self._clock()
            self._fetched = _Fetched(keys, now, now + kept)
        finally:
            self._tried_at = self._clock()

    def _fetch(self) -> tuple[tuple[Mapping[str, Any], ...], timedelta]:
        connections, target = self._pool.connection_from_url(self._url), parse_url(self._url).request_uri
        response = exchange(connections, "GET", target, headers={}, seconds=_SECONDS)
        try:
            if response.status != 200:
                raise ValueError(f"the issuer answered {response.status}")
            body = _read(response)
        finally:
            response.close()
            response.release_conn()
        try:
            document = json.loads(body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise ValueError("no key set")  # noqa: TRY004  what was fetched has the wrong form
        age = re.search(r"\bmax-age=([0-9]{1,9})", response.headers.get("cache-control", ""), re.IGNORECASE)
        kept = min(timedelta(seconds=int(age[1])), _KEPT) if age else _KEPT
        return tuple(key for key in keys if isinstance(key, dict)), kept


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """Return the body as it was sent: nothing is unpacked, since few octets can unpack to very many."""
    body = bytearray()
    while piece := response.read1(_LARGEST, decode_content=False):
        body += piece
        if len(body) > _LARGEST:
            raise ValueError("the issuer's answer is too large")
    return bytes(body)


def _match(keys: tuple[Mapping[str, object], ...], kid: object, algorithm: str) -> Any:
    from jwt import PyJWK  # noqa: PLC0415  see auth.py
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    fitting = [key for key in keys if _fits(key, algorithm) and kid in (None, key.get("kid"))]
    # Without a key id there is no telling between several.
    if len(fitting) != 1:
        return None
    try:
        key = PyJWK(dict(fitting[0]), algorithm=algorithm).key
        _require_kind(key, algorithm)
    except (PyJWTError, ServiceError, ValueError):
        return None
    return key


def _fits(key: Mapping[str, object], algorithm: str) -> bool:
    operations = key.get("key_ops")
    return (
        key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and key.get("crv") in (None, _CURVES.get(algorithm, key.get("crv")))
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _require_kind(key: object, algorithm: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa  # noqa: PLC0415  see auth.py

    kinds: dict[str, Any] = {
        "RSA": rsa.RSAPublicKey,
        "EC": ec.EllipticCurvePublicKey,
        "OKP": (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey),
    }
    weak = isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS
    # RFC 7518 section 3.4 ties each ES algorithm to one curve; a key that is set can lie on any.
    other_curve = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name != _CURVE_NAMES.get(algorithm)
    if weak or other_curve or not isinstance(key, kinds[_KINDS[algorithm[:2]]]):
        raise ServiceError(
            "invalid_token",
            "The token is not accepted. Its algorithm does not fit the issuer's key, or the key is too short.",
            fix="Have the operator check the key and JWT_ALGORITHMS.",
            whose_fix="operator",
        )
