"""Who asks: an account's keys, and the token that each handshake carries.

The private and the info endpoint want ``Authorization: Bearer <JWT>``. The token's nonce is
single-use, so every handshake gets a token of its own, made at the moment in which it is sent.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import NoReturn

from upbit_stream.errors import AuthenticationError

__all__ = ["Credentials", "find_credentials"]

ACCESS_KEY_VARIABLE = "UPBIT_ACCESS_KEY"
SECRET_KEY_VARIABLE = "UPBIT_SECRET_KEY"

# The exchange takes HS512, too, but its secret keys are shorter than that asks for (RFC 7518).
_ALGORITHM = "HS256"
# Bytes. PyJWT warns of shorter keys, which in a program with warnings as errors ends the attempt.
# HMAC fills a key up with zeros anyway (RFC 2104), so one that was filled up before signs the same.
_KEY_LENGTH = 32


class Credentials:
    """A pair of keys. It shows them to nobody: not in its repr, and it cannot be pickled."""

    __slots__ = ("_access_key", "_secret_key")

    def __init__(self, access_key: str | None, secret_key: str | None) -> None:
        self._access_key = access_key
        self._secret_key = secret_key

    def require(self, what: str) -> None:
        """:class:`AuthenticationError` when a key is missing that ``what`` needs."""
        # Not through a local variable that holds a key: a traceback may show it.
        missing = ["access_key"] * (not self._access_key) + ["secret_key"] * (not self._secret_key)
        if missing:
            raise AuthenticationError(
                f"{what} needs the keys of an account, and there is no {' and no '.join(missing)}: "
                "give UpbitStream(access_key=…, secret_key=…), or set the environment variables "
                f"{ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}"
            )

    def authorization(self) -> str:
        """The value of a new ``Authorization`` header, good for one handshake."""
        self.require("a token")
        import jwt  # only here: it takes time to import, and most have no keys

        return "Bearer " + jwt.encode(
            {"access_key": self._access_key, "nonce": str(uuid.uuid4())},
            (self._secret_key or "").encode().ljust(_KEY_LENGTH, b"\0"),
            algorithm=_ALGORITHM,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and (self._access_key, self._secret_key) == (
            other._access_key,
            other._secret_key,
        )

    def __hash__(self) -> int:
        return hash((self._access_key, self._secret_key))

    def __repr__(self) -> str:
        return f"<Credentials, {'complete' if self._access_key and self._secret_key else 'none'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "keys are not to be pickled or copied; give them to each process by its environment"
        )


def find_credentials(
    access_key: object, secret_key: object, environ: Mapping[str, str] | None = None
) -> Credentials:
    """The keys from the arguments; what is not given comes from the environment.

    ``TypeError`` for what is no text. Keys that are missing matter only to who needs them:
    :meth:`Credentials.require`.
    """
    environ = os.environ if environ is None else environ
    return Credentials(
        _key("access_key", access_key, environ.get(ACCESS_KEY_VARIABLE)),
        _key("secret_key", secret_key, environ.get(SECRET_KEY_VARIABLE)),
    )


def _key(name: str, given: object, default: str | None) -> str | None:
    chosen = default if given is None else given
    if chosen is None:
        return None
    if not isinstance(chosen, str):
        # Its type, not its value: whatever it is, it was meant as a secret.
        raise TypeError(f"{name}: give a string, not {type(chosen).__name__}")
    return chosen.strip() or None  # copied keys like to come with a line break
