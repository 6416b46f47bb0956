"""One stream for many threads: each market is followed by a thread of its own, in a plain loop.

    python examples/threads.py [SECONDS]

Every method of a stream may be called from any thread. The loops end when the stream is closed,
each after the last trade that came for it.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from upbit_stream import UpbitStream

CODES = ["KRW-BTC", "KRW-ETH", "KRW-XRP"]


def follow(stream: UpbitStream, code: str) -> str:
    value = volume = 0.0
    for trade in stream.trade(code):
        value += trade.trade_price * trade.trade_volume
        volume += trade.trade_volume
    return f"{code}: {volume:.8f} traded at {value / volume if volume else 0:,.2f} on average"


# The stream is closed first, which ends the loops; then the executor waits for its threads.
with ThreadPoolExecutor(len(CODES)) as threads, UpbitStream() as stream:
    jobs = [threads.submit(follow, stream, code) for code in CODES]
    stream.run(float(sys.argv[1]) if len(sys.argv) > 1 else None)

for job in jobs:
    print(job.result())
