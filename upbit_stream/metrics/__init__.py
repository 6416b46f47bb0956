"""A stream's metrics for Prometheus (extra ``prometheus``), and a dashboard of them for Grafana.

================== ==============================================================
``collector.py``   which metrics there are, and where they come from
``server.py``      the HTTP server that Prometheus asks, and its thread
``dashboard.json`` the dashboard, to be imported in Grafana
================== ==============================================================
"""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import TYPE_CHECKING

from upbit_stream.engine import Engine

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from upbit_stream.metrics.collector import StreamCollector
    from upbit_stream.metrics.server import MetricsServer

__all__ = ["Metrics", "dashboard"]


class Metrics:
    """What ``stream.metrics`` is. Every metric is read from the stream when someone looks: between
    two looks it costs nothing.

    Each method raises ``ImportError`` where prometheus_client is not installed.
    """

    def __init__(self, engine: Engine, region: str) -> None:
        self._engine = engine
        self._region = region
        # Guards the fields below it.
        self._lock = threading.Lock()
        self._registry: CollectorRegistry | None = None
        self._servers: dict[tuple[str, int], MetricsServer] = {}

    def start_http_server(self, port: int = 0, addr: str = "127.0.0.1") -> int:
        """Serve the metrics over HTTP until the stream is closed; returns the port.

        ``port`` 0 takes one that is free. ``addr`` is the address to listen on: by default only
        this machine can ask; ``"0.0.0.0"`` lets everyone, and there are no passwords. Asked again
        for the same, it returns the port that is served already.

        Raises ``OSError`` for an address or port that cannot be had, and
        :class:`~upbit_stream.errors.StreamClosedError`.
        """
        registry = self.registry
        from upbit_stream.metrics.server import MetricsServer

        with self._lock:
            there = self._servers.get((addr, port))
            if there is not None and there.worker.alive:
                return there.port
            try:
                server = MetricsServer(registry, addr, port)
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"metrics cannot be served on {addr}:{port} ({error.strerror or error}); "
                    "port 0 takes one that is free",
                ) from error
            try:
                self._engine.attend(server)
            except BaseException:
                server.disown()  # it listens, and has no thread to close it
                raise
            self._servers[addr, port] = server
            return server.port

    @property
    def registry(self) -> CollectorRegistry:
        """A registry with this stream's metrics and nothing else; always the same one."""
        with self._lock:
            if self._registry is None:
                collector = self.collector()
                from prometheus_client import CollectorRegistry

                self._registry = CollectorRegistry()
                self._registry.register(collector)
            return self._registry

    def collector(self) -> StreamCollector:
        """A new collector, for a registry of your own: ``REGISTRY.register(…)``. A registry takes
        that of one stream, as the metrics of two would have the same names.
        """
        try:
            from upbit_stream.metrics.collector import StreamCollector
        except ImportError as error:
            raise ImportError(
                'metrics need the prometheus-client package: pip install "upbit-stream[prometheus]"'
            ) from error
        return StreamCollector(self._engine, self._region)


def dashboard() -> str:
    """A dashboard for Grafana as JSON, to be imported there (Dashboards, New, Import)."""
    return files(__package__).joinpath("dashboard.json").read_text("utf-8")
