"""The way to the exchange: proxies, the stages of connecting, certificate, REST, clock."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3

from upbit_stream.cli.checks.check import Check
from upbit_stream.cli.texts import language, text
from upbit_stream.config import StreamConfig
from upbit_stream.monitoring.probe import Probe
from upbit_stream.monitoring.report import StageStatus
from upbit_stream.proxies import find_proxy
from upbit_stream.recovery.rest import make_pool
from upbit_stream.transport.opening import default_ssl_context
from upbit_stream.workers import Worker

__all__ = ["check_network", "clock_difference"]

# Seconds that our clock may be off. Upbit's Date header has whole seconds.
_OFF = 2.0
_FAR_OFF = 60.0
# Days before the end of a certificate from which on somebody should know.
_DAYS = 14
# Seconds for each step of the two calls that are made beside the connection, and for a call.
_TIMEOUT = 5.0
_WHOLE = 10.0
# Seconds between two looks at whether an answer is there, or no longer wanted.
_LOOK_AROUND = 0.02


def check_network(
    url: str, rest_url: str, config: StreamConfig, codes: tuple[str, ...],
    pause: Callable[[float], None],
) -> Iterator[Check]:  # fmt: skip
    """One connection, one REST call, one look at the certificate.

    ``pause`` waits so many seconds; what it raises ends the checks, whatever they wait for.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    yield Check("network", "address", "ok", where)
    proxy = find_proxy(host, secure=secure)
    if proxy is not None:
        told = text("doctor.proxy", proxy=proxy.address)
        yield Check("network", "proxy", "note", told, text("advice.proxy"))
    else:
        yield Check("network", "proxy", "ok", text("doctor.no_proxy"))
    yield from _connect(url, config, codes, pause)
    pause(0.0)
    if secure and proxy is None:
        context = config.ssl_context or default_ssl_context()
        yield from _aside("certificate", lambda: [_certificate(host, port, context)], pause)
        pause(0.0)
    yield from _aside("rest", lambda: list(_rest(rest_url, config)), pause)


def _aside(
    name: str, look: Callable[[], list[Check]], pause: Callable[[float], None]
) -> list[Check]:
    """What ``look`` finds, on a thread of its own: the main thread looks for Ctrl-C. A thread that
    hangs at the end of its time is left alone; it keeps nothing from ending.
    """
    found: list[Check] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            found.extend(look())
        except Exception as error:
            errors.append(error)

    worker = Worker(f"upbit-doctor-{name}", work)
    worker.start()
    deadline = time.monotonic() + _WHOLE
    while worker.alive:
        if time.monotonic() > deadline:
            advice = {"certificate": "advice.TLS", "rest": "advice.rest"}[name]
            return [Check("network", name, "fail", "timed out", text(advice))]
        pause(_LOOK_AROUND)
    if errors:
        raise errors[0]
    return found


def _connect(
    url: str, config: StreamConfig, codes: tuple[str, ...], pause: Callable[[float], None]
) -> Iterator[Check]:
    connectivity = Probe(url, config, codes).run(pause, lambda stage: None)
    for stage in connectivity.stages:
        if stage.status is StageStatus.PASSED:
            assert stage.milliseconds is not None
            yield Check("network", stage.name, "ok", f"{stage.milliseconds:,.1f} ms")
        elif stage.status is StageStatus.FAILED:
            # The library's sentence has its own advice, in English, which fits best.
            told, _, advice = (stage.explanation or "-").partition("; ")
            if not advice or language() != "en":
                advice = text(f"advice.{stage.name}")
            yield Check("network", stage.name, "fail", told, advice)
        else:
            told = text(f"report.{stage.status.value}")
            yield Check("network", stage.name, "note", told)


def _certificate(host: str, port: int, context: ssl.SSLContext) -> Check:
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert() or {}
            version = secured.version() or "TLS"
    except OSError as error:
        # An SSLError is an OSError, too.
        told = getattr(error, "verify_message", None) or error.strerror or str(error)
        return Check("network", "certificate", "fail", told, text("advice.TLS"))
    if "notAfter" not in certificate:
        # Where verifying was switched off nothing is told of it.
        return Check("network", "certificate", "warn", version, text("advice.unverified"))
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86_400
    issuer = dict(pair for part in certificate.get("issuer", ()) for pair in part)  # type: ignore[misc]
    name = issuer.get("organizationName") or issuer.get("commonName") or "-"
    soon = days < _DAYS
    return Check(
        "network",
        "certificate",
        "warn" if soon else "ok",
        text("doctor.certificate", version=version, issuer=name, days=f"{days:.0f}"),
        text("advice.certificate") if soon else None,
    )


def _rest(rest_url: str, config: StreamConfig) -> Iterator[Check]:
    pool = make_pool(rest_url, config.ssl_context)
    try:
        asked = time.time()
        began = time.monotonic()
        # Of the answer only the head is looked at, whatever comes behind it, and how slowly.
        answer = pool.request(
            "GET", f"{rest_url}/market/all", timeout=_TIMEOUT, retries=False,
            headers={"Accept": "application/json"}, preload_content=False,
        )  # fmt: skip
        took = time.monotonic() - began
        answer.close()
    except urllib3.exceptions.HTTPError as error:
        told = " ".join(str(error).split())
        yield Check("network", "rest", "fail", told, text("advice.rest"))
        return
    finally:
        pool.clear()
    fine = answer.status == 200
    yield Check(
        "network",
        "rest",
        "ok" if fine else "fail",
        f"HTTP {answer.status}, {took * 1000:,.0f} ms",
        None if fine else text("advice.rest"),
    )
    difference = clock_difference(answer.headers.get("Date"), asked + took / 2)
    if difference is None:
        yield Check("network", "clock", "note", text("doctor.no_clock"))
        return
    off = abs(difference)
    yield Check(
        "network",
        "clock",
        "fail" if off > _FAR_OFF else "warn" if off > _OFF else "ok",
        # Not "-0.0".
        text("doctor.clock", seconds=f"{round(difference, 1) + 0.0:+.1f}"),
        text("advice.clock") if off > _OFF else None,
    )


def clock_difference(date: str | None, ours: float) -> float | None:
    """Seconds by which our clock is ahead of the server's; None when that does not tell its own.

    Its header has whole seconds, so within one of them nothing is told apart.
    """
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    if ours < theirs:
        return ours - theirs
    return max(0.0, ours - theirs - 1)
