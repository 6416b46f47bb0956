"""A subscription is an iterator: the events come to your own thread.

    python examples/iterator.py [COUNT]

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys
from contextlib import suppress
from itertools import islice

from upbit_stream import UpbitStream

count = int(sys.argv[1]) if len(sys.argv) > 1 else None

# In a loop of your own Ctrl-C raises KeyboardInterrupt, as always.
with suppress(KeyboardInterrupt), UpbitStream() as stream:
    book = stream.orderbook("KRW-BTC", depth=5)
    for event in islice(book, count):
        print(
            f"{event.best_bid} / {event.best_ask}, spread {event.spread}, "
            f"{sum(level.size for level in event.bids):.4f} BTC bid in the best five"
        )
