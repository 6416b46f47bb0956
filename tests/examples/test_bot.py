"""The skeleton of a bot, as its user changes it: it handles what waits, and says how it went."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path

import pytest
import trustme

from tests.examples.conftest import Run
from upbit_stream.simulator import Simulator

#: Slower than the market, so that something waits when the signal comes.
SLOW_BOT = """
import sys, time
import bot

class Slow(bot.Strategy):
    def on_trade(self, trade):
        print(trade.code, trade.sequential_id)
        time.sleep({pause})
        super().on_trade(trade)

    def finish(self):
        print("finished after", self.handled)

bot.DRAIN = {drain}
bot.logging.basicConfig(level="INFO")
sys.exit(bot.run(Slow()))
"""


@pytest.fixture
def slow_bot(tmp_path: Path) -> Path:
    path = tmp_path / "slow_bot.py"
    path.write_text(SLOW_BOT.format(pause=0.002, drain=20))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_handle_what_waits(
    number: signal.Signals, sim: Simulator, run: Run, slow_bot: Path
) -> None:
    script = run(sim, slow_bot)
    script.out.wait_for(lambda text: "KRW-BTC" in text and "KRW-ETH" in text)  # the snapshots
    sim.burst(500, ["KRW-BTC", "KRW-ETH"])
    script.out.wait_for(lambda text: text.count("\n") > 4)
    script.process.send_signal(number)
    assert script.process.wait(20) == 0
    lines = script.out.all().splitlines()
    assert lines[-1] == "finished after 502"
    for code in ("KRW-BTC", "KRW-ETH"):
        ids = [int(line.split()[1]) for line in lines if line.startswith(code)]
        assert ids[1:] == sim.ledger(code)


def test_what_was_not_handled_in_time_is_told(sim: Simulator, run: Run, slow_bot: Path) -> None:
    slow_bot.write_text(SLOW_BOT.format(pause=0.1, drain=0.3))
    script = run(sim, slow_bot)
    script.out.wait_for(lambda text: "KRW-BTC" in text)
    sim.burst(100, ["KRW-BTC"])
    script.out.wait_for(lambda text: text.count("\n") > 3)
    script.process.send_signal(signal.SIGTERM)
    assert script.process.wait(20) == 1
    assert script.out.all().splitlines()[-1].startswith("finished after ")


def test_a_second_signal_ends_it_at_once(sim: Simulator, run: Run, slow_bot: Path) -> None:
    slow_bot.write_text(SLOW_BOT.format(pause=60, drain=60))
    script = run(sim, slow_bot)
    script.out.wait_for(lambda text: "KRW-" in text)
    script.process.send_signal(signal.SIGTERM)
    script.err.wait_for(lambda text: "disconnecting" in text)
    script.process.send_signal(signal.SIGTERM)
    assert script.process.wait(20) == -signal.SIGTERM
    assert "finished" not in script.out.all()


def test_what_cannot_be_healed_is_an_exit_code(run: Run) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)  # nobody trusts it
    with Simulator(rate=0, ssl_context=context) as sim:
        script = run(sim, "bot.py")
        assert script.process.wait(20) == 1
    assert "gave up: " in script.err.all()
    assert "0 trades handled" in script.err.text
