"""How a stream is, over HTTP: 200 when it is healthy, 503 when not, with the reasons as JSON.

    python examples/health_endpoint.py [SECONDS] [PORT]
    curl -i http://127.0.0.1:8080/

For load balancers, Kubernetes probes and monitors that ask.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from upbit_stream import UpbitStream


class HealthPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        health = stream.health()
        told = {
            "healthy": health.is_healthy(),
            "problems": health.problems,
            "state": health.state.value,
            "ping_latency_ms": health.ping_latency,
            "messages_per_second": round(health.messages_per_second, 1),
            "last_message_age_s": health.last_message_age,
            "reconnects": health.reconnects,
            "dropped": health.dropped,
        }
        body = json.dumps(told, indent=2).encode() + b"\n"
        self.send_response(200 if told["healthy"] else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a probe asks every few seconds."""


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080

# Who can reach this address can read it: there are no secrets in it, but it is nobody's business.
with UpbitStream() as stream, ThreadingHTTPServer(("127.0.0.1", port), HealthPage) as server:
    stream.trade("KRW-BTC", callback=lambda trade: None)  # your bot
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"health at http://127.0.0.1:{server.server_port}/", flush=True)
    stream.run(seconds)
    server.shutdown()
