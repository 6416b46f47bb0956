"""Why a stage of connecting failed, in one sentence: what happened, and what to do next."""

from __future__ import annotations

import socket
import ssl

import websocket

from upbit_stream.connection.causes import ConnectTimeout, ServerRefused, judge
from upbit_stream.errors import RateLimitedError

__all__ = ["NoData", "explain"]


class NoData(Exception):
    """The connection stands, and nothing has come over it."""


_TIMEOUTS = (ConnectTimeout, TimeoutError, websocket.WebSocketTimeoutException)

# What to do when the kind of error says no more than that the stage failed.
_BY_STAGE = {
    "DNS": "check the host in the URL, and that this machine has a network and a name server "
    "that answers",
    "TCP": "check the host and port in the URL, and that no firewall is in the way",
    "TLS": "check that this port serves TLS (for one that does not the URL begins with ws://), and "
    "that no proxy is in the way",
    "upgrade": "check that the URL leads to the exchange's WebSocket, with wss:// where the port "
    "serves TLS; if it does, try again in a minute",
    "first data": "try again in a minute, and look for announcements of the exchange",
}


def explain(error: BaseException, stage: str) -> str:
    """The sentence for ``error``, which ended ``stage``."""
    cause, advice = _cause_and_advice(error, stage)
    # One line, whatever the other side has put into it.
    return " ".join(f"{cause}; {advice}".split())


def _cause_and_advice(error: BaseException, stage: str) -> tuple[str, str]:
    verdict = judge(error)
    advice = _BY_STAGE[stage]
    if isinstance(error, NoData):
        return str(error), (
            "the codes may not be traded (the exchange does not answer for those), or the "
            "exchange is in trouble: try others, and look for its announcements"
        )
    if isinstance(error, websocket.WebSocketBadStatusException):
        return verdict.cause, _after_status(error, verdict.error)
    if isinstance(error, ssl.SSLCertVerificationError):
        # It has its own advice.
        return verdict.cause, str(verdict.error).partition("; ")[2] or advice
    if isinstance(error, websocket.WebSocketProxyException):
        return f"the proxy did not let the connection through ({error})", (
            "check https_proxy and http_proxy in the environment, or name the host in no_proxy"
        )
    if isinstance(error, _TIMEOUTS):
        return f"{stage} {verdict.cause}", _after_timeout(stage)
    if isinstance(error, ConnectionRefusedError):
        return verdict.cause, (
            "nothing listens on that port, or a firewall refuses: check the host and port in the "
            "URL, and that the server runs"
        )
    if isinstance(error, ServerRefused):
        return verdict.cause, "check the codes"
    if isinstance(error, (socket.gaierror, websocket.WebSocketAddressException)):
        return verdict.cause, _BY_STAGE["DNS"]
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({error.reason or error})", _BY_STAGE["TLS"]
    return verdict.cause, advice


def _after_status(error: websocket.WebSocketBadStatusException, judged: Exception) -> str:
    status = error.status_code
    if isinstance(judged, RateLimitedError):
        wait = "a minute" if judged.retry_after is None else f"{judged.retry_after:g} s"
        return (
            "too many handshakes came from this address: end what else is connecting from here, "
            f"and wait {wait} before you try again"
        )
    if status in (401, 403):
        # No keys were sent, so this says nothing of them.
        return (
            "market data needs no keys, so it is not about them: check that the URL is that of the "
            "public endpoint, and that no firewall or proxy refuses this address"
        )
    if status >= 500:
        return (
            "the exchange, or what stands before it, is in trouble: try again in a minute, and "
            "look for its announcements"
        )
    return "check the URL: this is not where the exchange serves WebSockets"


def _after_timeout(stage: str) -> str:
    if stage == "upgrade":
        return (
            "the server took the connection and did not answer: check that the URL leads to the "
            "exchange's WebSocket, and try again in a minute; StreamConfig(connect_timeout=…) "
            "gives it more time"
        )
    return f"{_BY_STAGE[stage]}; StreamConfig(connect_timeout=…) gives it more time"
