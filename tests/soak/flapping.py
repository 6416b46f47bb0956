"""A client whose server drops everyone: what it costs, and what its health says. For a test."""

from __future__ import annotations

import sys
import time

from upbit_stream import StreamConfig, UpbitStream

if __name__ == "__main__":
    url, seconds = sys.argv[1], float(sys.argv[2])
    with UpbitStream(config=StreamConfig(url=url)) as stream:
        stream.trade("KRW-BTC", lambda trade: None)
        stream.run(1.0)  # what starting costs is another matter
        before = time.process_time()
        stream.run(seconds)
        print(time.process_time() - before)
        health = stream.health()
        print(health.reconnects)
        print("; ".join(health.problems))
