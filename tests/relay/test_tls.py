"""Brokers with TLS, whose certificate is of an authority of their own."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.conftest import eventually
from tests.relay.servers import Broker, NatsServer, RedisServer, needs_nats, needs_redis
from upbit_stream import ConnectionPool, StreamConfig, Trade, UpbitStream
from upbit_stream.relay import Relay
from upbit_stream.simulator import Simulator


class SecureRedis(RedisServer):
    """Takes nothing without TLS; its ``url`` names the authority."""

    def __init__(self, place: Path) -> None:
        options = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
        super().__init__("--tls-auth-clients", "no", *_with_files(place, *options))
        self._authority = place / "ca.pem"

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}?ssl_ca_certs={self._authority}"

    def _command(self) -> list[str]:
        port = str(self.port)
        command = ["0" if one == port else one for one in super()._command()]
        return [*command, "--tls-port", port]

    def _answers(self) -> bool:
        import redis

        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.RedisError:
            return False


class SecureNats(NatsServer):
    """Takes nothing without TLS."""

    def __init__(self, place: Path) -> None:
        super().__init__("--tls", *_with_files(place, "--tlscert", "--tlskey", "--tlscacert"))

    @property
    def url(self) -> str:
        return f"tls://127.0.0.1:{self.port}"


def _with_files(place: Path, certificate: str, key: str, authority: str) -> list[str]:
    files = ((certificate, "server.pem"), (key, "key.pem"), (authority, "ca.pem"))
    return [part for option, name in files for part in (option, str(place / name))]


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """Where a certificate of the authority is, with its key and the authority's own."""
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    return tmp_path


def check(sim: Simulator, broker: Broker, config: StreamConfig) -> None:
    """What is published comes."""
    trades: list[Trade] = []
    with (
        UpbitStream(config=config, pool=ConnectionPool()) as stream,
        Relay(stream, broker.url) as relay,
        UpbitStream(config=config, source=broker.url, pool=ConnectionPool()) as reader,
    ):
        relay.publish(stream.trade("KRW-BTC"))
        reader.trade("KRW-BTC", callback=trades.append)
        eventually(lambda: trades)
        sim.burst(5, ["KRW-BTC"])
        eventually(lambda: trades[-1].sequential_id == sim.ledger("KRW-BTC")[-1])


@needs_nats
def test_nats_is_reached_with_the_context_of_the_stream(
    sim: Simulator, config: StreamConfig, files: Path, client_context: ssl.SSLContext
) -> None:
    with SecureNats(files) as server:
        check(sim, server, replace(config, ssl_context=client_context))


@needs_redis
def test_redis_is_reached_with_the_certificates_in_its_url(
    sim: Simulator, config: StreamConfig, files: Path
) -> None:
    with SecureRedis(files) as server:
        check(sim, server, config)


def test_a_context_that_redis_would_not_take_is_for_rest_alone(
    sim: Simulator, config: StreamConfig, files: Path
) -> None:
    with SecureRedis(files) as server:
        check(sim, server, replace(config, ssl_context=ssl.create_default_context()))


def test_other_options_in_the_url_are_refused() -> None:
    with pytest.raises(ValueError, match="leave that out"):
        UpbitStream(source="redis://127.0.0.1:1?ssl_ca_certs=/path/ca.pem")
