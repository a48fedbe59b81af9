"""Public keys of an issuer: those that verify RS256 and ES256, and no others."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

Algorithm = Literal["RS256", "ES256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)

#: Bits of an RSA key: fewer can be broken, more take long to verify with.
RSA_BITS: Final = (2_048, 8_192)

#: Bits of an RSA key's exponent.
_EXPONENT_BITS: Final = 32

#: Keys of an issuer that are looked at, and characters of their names.
KEYS: Final = 100
NAME: Final = 256


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, the name that tokens give it, and the one algorithm it is for."""

    name: str | None
    algorithm: Algorithm
    key: RSAKey | ECKey


def verifying_keys(listed: Iterable[object]) -> tuple[VerifyingKey, ...]:
    """Return the keys of a JWK set that tokens may be verified with; others are left out.

    Left out are other kinds, sizes and curves, keys for encryption or another algorithm, and
    what cannot be read: one odd key must not put the others out of use.
    """
    found = (_verifying(each) for each, _ in zip(listed, range(KEYS), strict=False))
    return tuple(key for key in found if key is not None)


def find_key(keys: Iterable[VerifyingKey], name: str | None, algorithm: str) -> VerifyingKey | None:
    """Return the key that a token names; without a name, the only one of that algorithm."""
    fitting = [key for key in keys if key.algorithm == algorithm and name in {None, key.name}]
    return fitting[0] if len(fitting) == 1 else None


def _verifying(listed: object) -> VerifyingKey | None:
    if not isinstance(listed, Mapping):
        return None
    name = listed.get("kid")
    if not (name is None or (isinstance(name, str) and 0 < len(name) <= NAME)):
        return None
    try:
        if _is_rsa(listed):
            public = {part: listed[part] for part in ("kty", "n", "e")}
            return VerifyingKey(name, "RS256", RSAKey.import_key(public))
        if _is_p256(listed):
            public = {part: listed[part] for part in ("kty", "crv", "x", "y")}
            return VerifyingKey(name, "ES256", ECKey.import_key(public))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None


def _is_rsa(listed: Mapping[Any, Any]) -> bool:
    if listed.get("kty") != "RSA" or not _signs(listed, "RS256"):
        return False
    least, most = RSA_BITS
    exponent = _number(listed["e"])
    small = exponent.bit_length() <= _EXPONENT_BITS and exponent > 1
    return small and least <= _number(listed["n"]).bit_length() <= most


def _is_p256(listed: Mapping[Any, Any]) -> bool:
    return listed.get("kty") == "EC" and listed.get("crv") == "P-256" and _signs(listed, "ES256")


def _signs(listed: Mapping[Any, Any], algorithm: Algorithm) -> bool:
    """Whether a key is for signatures by an algorithm, as far as it says."""
    operations = listed.get("key_ops")
    return (
        listed.get("use", "sig") == "sig"
        and listed.get("alg", algorithm) == algorithm
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _number(text: str) -> int:
    """Return a number in base64url; raises ValueError or TypeError."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return int.from_bytes(urlsafe_b64decode(padded))
    except (AttributeError, binascii.Error) as error:
        raise ValueError("no number") from error
