"""The settings: defaults, and where the addresses come from."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import OverflowPolicy, ReconnectPolicy, StreamConfig, UpbitStream, WireFormat
from upbit_stream.config import reconnect_delay, resolve_urls
from upbit_stream.protocol.endpoints import REGIONS, Endpoint, endpoint_url


def test_the_defaults() -> None:
    config = StreamConfig()
    assert config.wire_format is WireFormat.SIMPLE
    assert config.numbers == "float"
    assert (config.ping_interval, config.ping_timeout, config.connect_timeout) == (15, 10, 10)
    assert (config.queue_size, config.overflow) == (100_000, OverflowPolicy.DROP_OLDEST)
    assert config.reconnect == ReconnectPolicy(
        base=0.1, factor=2, cap=5.0, jitter=0.1, min_interval=5.0, max_attempts=None
    )


def test_it_is_frozen_keyword_only_and_takes_plain_strings() -> None:
    config = StreamConfig(wire_format="DEFAULT", overflow="latest")
    assert (config.wire_format, config.overflow) == (WireFormat.DEFAULT, OverflowPolicy.LATEST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.queue_size = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        StreamConfig("ws://x")  # type: ignore[call-arg]
    assert dataclasses.replace(config, queue_size=5).queue_size == 5


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("kr", "api.upbit.com"),
        ("sg", "sg-api.upbit.com"),
        ("id", "id-api.upbit.com"),
        ("th", "th-api.upbit.com"),
    ],
)
def test_regions(region: str, host: str) -> None:
    url, rest_url = resolve_urls(StreamConfig(), REGIONS[region], environ={})
    assert url == f"wss://{host}/websocket/v1"
    assert rest_url == f"https://{host}/v1"
    assert endpoint_url(url, Endpoint.PUBLIC) == url
    assert endpoint_url(url, Endpoint.PRIVATE) == f"{url}/private"
    assert endpoint_url(url, Endpoint.INFO) == f"{url}/info"


def test_rest_follows_the_host_of_url() -> None:
    kr = REGIONS["kr"]
    local = "ws://127.0.0.1:1234/websocket/v1"
    assert resolve_urls(StreamConfig(url=local + "/"), kr, {}) == (
        local,
        "http://127.0.0.1:1234/v1",
    )
    assert resolve_urls(StreamConfig(), kr, {"UPBIT_STREAM_URL": local}) == (
        local,
        "http://127.0.0.1:1234/v1",
    )
    assert resolve_urls(StreamConfig(url="wss://h/websocket/v1"), kr, {})[1] == "https://h/v1"
    given_both = StreamConfig(url=local, rest_url="http://127.0.0.1:5/v1/")
    assert resolve_urls(given_both, kr, {})[1] == "http://127.0.0.1:5/v1"
    rest = {"UPBIT_REST_URL": "http://127.0.0.1:6/v1"}
    assert resolve_urls(StreamConfig(url=local), kr, rest)[1] == "http://127.0.0.1:6/v1"


def test_a_wrong_url_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_STREAM_URL", "localhost:80")
    with pytest.raises(ValueError, match="UPBIT_STREAM_URL='localhost:80'"):
        UpbitStream()


def test_a_url_with_a_user_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^url names a user") as raised:
        StreamConfig(url="ws://me:hidden@127.0.0.1:1/v1")
    assert "hidden" not in str(raised.value)
    with pytest.raises(ValueError, match=r"^rest_url names a user"):
        StreamConfig(rest_url="https://hidden@127.0.0.1/v1")
    monkeypatch.setenv("UPBIT_STREAM_URL", "ws://me:hidden@127.0.0.1:1/v1")
    with pytest.raises(ValueError, match="UPBIT_STREAM_URL names a user"):
        UpbitStream()
    assert StreamConfig(url="ws://127.0.0.1:1/a@b").url is not None


@given(st.integers(0, 2000), st.floats(-1, 1))
def test_the_delay_of_each_attempt(attempt: int, spread: float) -> None:
    delay = reconnect_delay(ReconnectPolicy(), attempt, spread)
    plain = min(0.1 * 2 ** min(attempt, 60), 5.0)
    assert 0.9 * plain - 1e-9 <= delay <= 1.1 * plain + 1e-9
