"""A skeleton for a bot that runs for months: it logs, and it ends cleanly.

    python examples/bot.py [SECONDS]

SIGTERM (systemd, Docker, kill) or Ctrl-C ends it: no more events come in, those that wait are
handled, then the strategy puts its affairs in order. The exit code is 0, or 1 for an error that
cannot be healed and for events that were not handled in time. A second signal ends it at once.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import logging
import signal
import sys
import time

from upbit_stream import Trade, UpbitStream, UpbitStreamError

DRAIN = 20.0  # seconds; less than whoever sends SIGTERM waits before it kills
log = logging.getLogger("bot")


class Strategy:
    handled = 0

    def on_trade(self, trade: Trade) -> None:
        """One call at a time, in order. What it raises is logged, and the bot goes on."""
        self.handled += 1

    def finish(self) -> None:
        """Called last, when no other call runs: cancel orders, write down the state."""
        log.info("%d trades handled", self.handled)


def run(strategy: Strategy, seconds: float = float("inf")) -> int:
    asked: list[int] = []  # a handler may interrupt anything, so it does no more than note
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, frame: asked.append(number))
    ok, end = True, time.monotonic() + seconds
    with UpbitStream() as stream:
        stream.trade(["KRW-BTC", "KRW-ETH"], callback=strategy.on_trade)
        try:
            while not asked and time.monotonic() < end:
                stream.run(0.5)
        except UpbitStreamError as error:
            log.critical("gave up: %s", error)
            ok = False
        for number in asked:
            signal.signal(number, signal.SIG_DFL)
        ok = stream.close(DRAIN) and ok
    strategy.finish()
    return 0 if ok else 1


if __name__ == "__main__":
    # The stream itself logs reconnects, gaps, drops and what callbacks raise.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(run(Strategy(), *map(float, sys.argv[1:2])))
