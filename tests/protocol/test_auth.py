"""Tokens: each good for one handshake, made of keys that nobody gets to see."""

from __future__ import annotations

import copy
import pickle
import warnings

import jwt
import pytest

from upbit_stream import AuthenticationError, StreamConfig, UpbitStream
from upbit_stream.protocol.auth import find_credentials

ACCESS, SECRET = "access-key-of-the-test", "secret-key-of-the-test-" + "x" * 17


@pytest.mark.parametrize("length", [1, 31, 40, 64, 100])
def test_a_token_is_signed_with_the_secret_and_says_who_asks(length: int) -> None:
    secret = "s" * length
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheme, _, token = find_credentials(ACCESS, secret).authorization().partition(" ")
    assert scheme == "Bearer"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyJWT thinks of short keys
        claims = jwt.decode(token, secret, algorithms=["HS256"])
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, secret + "x", algorithms=["HS256"])
    assert claims.keys() == {"access_key", "nonce"}
    assert claims["access_key"] == ACCESS


def test_every_token_has_a_nonce_of_its_own() -> None:
    credentials = find_credentials(ACCESS, SECRET)
    tokens = [credentials.authorization().split()[1] for _ in range(100)]
    options = {"verify_signature": False}
    nonces = {jwt.decode(one, options=options)["nonce"] for one in tokens}  # type: ignore[arg-type]
    assert len(nonces) == 100


def test_where_the_keys_come_from() -> None:
    environ = {"UPBIT_ACCESS_KEY": "from-environment", "UPBIT_SECRET_KEY": f" {SECRET}\n"}

    def access_key(given: str | None) -> str:
        token = find_credentials(given, None, environ).authorization().split()[1]
        key: str = jwt.decode(token, SECRET.ljust(64, "\0"), algorithms=["HS256"])["access_key"]
        return key

    assert access_key(None) == "from-environment"
    assert access_key(ACCESS) == ACCESS


@pytest.mark.parametrize(
    ("access", "secret", "said"),
    [
        (None, None, "no access_key and no secret_key"),
        (ACCESS, None, "no secret_key"),
        ("  ", SECRET, "no access_key"),
    ],
)
def test_missing_keys_are_told_at_the_call(
    access: str | None, secret: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPBIT_ACCESS_KEY", raising=False)
    monkeypatch.delenv("UPBIT_SECRET_KEY", raising=False)
    stream = UpbitStream(
        access_key=access, secret_key=secret, config=StreamConfig(url="ws://127.0.0.1:1/x")
    )
    for call in (stream.my_order, stream.my_asset, stream.announcement):
        with pytest.raises(AuthenticationError, match=f"there is {said}: .*UPBIT_SECRET_KEY"):
            call()
    assert stream.subscriptions == ()
    stream.ticker("KRW-BTC")
    stream.close()


def test_keys_that_are_no_strings_are_refused_without_showing_them() -> None:
    with pytest.raises(TypeError, match=r"secret_key: give a string, not bytes") as refused:
        UpbitStream(access_key=ACCESS, secret_key=SECRET.encode())  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)


def test_credentials_show_nothing_and_cannot_be_taken_along() -> None:
    credentials = find_credentials(ACCESS, SECRET)
    for text in (repr(credentials), str(credentials), f"{credentials!r}"):
        assert ACCESS not in text
        assert SECRET not in text
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be"):
            take(credentials)
