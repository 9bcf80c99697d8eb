"""The issuer's keys: one that is set, or a key set that is fetched (RFC 7517) and kept."""

from __future__ import annotations

import json
import logging
import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import urllib3
from urllib3.exceptions import HTTPError

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

log = logging.getLogger(__name__)

_KEPT: Final = timedelta(minutes=10)
_LEAST_KEPT: Final = timedelta(minutes=1)
_STALE: Final = timedelta(hours=24)
"""How long keys are still used when the issuer can't be reached: its outage is not one of this service's."""
_LARGEST: Final = 256 * 1024
_LEAST_RSA_BITS: Final = 2048
_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]+)?/")


class FixedKey:
    """One public key, in PEM."""

    def __init__(self, pem: str) -> None:
        self._pem = pem
        self._key: Any = None

    def find(self, _: object, algorithm: str) -> Any:
        """Return the key. Its kind must be that of the algorithm, else a public key could pass for a shared secret."""
        if self._key is None:
            from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415  see auth.py

            self._key = load_pem_public_key(self._pem.encode())
        _require_kind(self._key, algorithm)
        return self._key


class KeySet:
    """A key set behind an address, fetched when it is needed and at most once a minute."""

    def __init__(self, url: str, clock: Callable[[], datetime]) -> None:
        if not url.startswith("https://") and not _LOOPBACK.match(url):
            raise ValueError("the address of a key set must begin with https://")
        self._url = url
        self._clock = clock
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=3, read=3))
        self._lock = threading.Lock()
        self._keys: list[Mapping[str, Any]] = []
        self._fetched_at: datetime | None = None
        self._fresh_until: datetime | None = None
        self._tried_at: datetime | None = None

    def find(self, kid: object, algorithm: str) -> Any:
        """Return the key for a token's header. Raises `keys_unavailable` when there is none to look in."""
        self._refresh()
        key = self._match(kid, algorithm)
        if key is None and self._refresh(unknown_kid=True):
            key = self._match(kid, algorithm)
        if key is None:
            raise ServiceError(
                "invalid_token",
                "The token is not accepted. It is signed with a key that its issuer does not have.",
                fix="Get a new token and try again.",
                param="Authorization",
            )
        return key

    def _refresh(self, *, unknown_kid: bool = False) -> bool:
        """Fetch the keys when that is due; who comes meanwhile uses those that there are. Returns whether it did."""
        now = self._clock()
        if not self._is_due(now, unknown_kid=unknown_kid):
            return False
        if not self._lock.acquire(blocking=not self._keys):
            return False
        try:
            if not self._is_due(now, unknown_kid=unknown_kid):
                return True
            self._tried_at = now
            try:
                self._keys, kept = self._fetch()
            except (HTTPError, ValueError) as error:
                log.warning("the issuer's keys can't be fetched: %s", type(error).__name__)
                if self._fetched_at is None or now - self._fetched_at > _STALE:
                    raise ServiceError(
                        "keys_unavailable",
                        "The token can't be verified at the moment: its issuer's keys can't be had.",
                        fix="Try again.",
                        retry_after=5,
                        whose_fix="operator",
                    ) from None
                return False
            self._fetched_at, self._fresh_until = now, now + kept
            return True
        finally:
            self._lock.release()

    def _is_due(self, now: datetime, *, unknown_kid: bool) -> bool:
        if self._fetched_at is None or self._fresh_until is None:
            return True
        # Tokens with made-up key ids must not make this service hammer the issuer.
        lately = self._tried_at is not None and now - self._tried_at < _LEAST_KEPT
        return not lately and (unknown_kid or now >= self._fresh_until)

    def _fetch(self) -> tuple[list[Mapping[str, Any]], timedelta]:
        response = self._pool.request("GET", self._url, redirect=False, preload_content=False)
        try:
            body = response.read(_LARGEST + 1)
        finally:
            response.close()
            response.release_conn()
        if response.status != 200 or len(body) > _LARGEST:
            raise ValueError(f"the issuer answered {response.status} with {len(body)} octets")
        try:
            document = json.loads(body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise ValueError("no key set")  # noqa: TRY004  what was fetched has the wrong form
        age = re.search(r"max-age=([0-9]{1,9})", response.headers.get("cache-control", ""))
        kept = min(max(timedelta(seconds=int(age[1])), _LEAST_KEPT), _KEPT) if age else _KEPT
        return [key for key in keys if isinstance(key, dict)], kept

    def _match(self, kid: object, algorithm: str) -> Any:
        from jwt import PyJWK  # noqa: PLC0415  see auth.py
        from jwt.exceptions import PyJWTError  # noqa: PLC0415

        fitting = [key for key in self._keys if _fits(key, algorithm) and kid in (None, key.get("kid"))]
        # Without a key id there is no telling between several.
        if len(fitting) != 1:
            return None
        try:
            key = PyJWK(dict(fitting[0]), algorithm=algorithm).key
            _require_kind(key, algorithm)
        except (PyJWTError, ServiceError, ValueError):
            return None
        return key


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and key.get("crv") in (None, _CURVES.get(algorithm, key.get("crv")))
    )


def _require_kind(key: object, algorithm: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa  # noqa: PLC0415  see auth.py

    kinds: dict[str, Any] = {
        "RSA": rsa.RSAPublicKey,
        "EC": ec.EllipticCurvePublicKey,
        "OKP": (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey),
    }
    weak = isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS
    if weak or not isinstance(key, kinds[_KINDS[algorithm[:2]]]):
        raise ServiceError(
            "invalid_token",
            "The token is not accepted. Its algorithm does not fit the issuer's key, or the key is too short.",
            fix="Have the operator check the key and JWT_ALGORITHMS.",
            whose_fix="operator",
        )
