"""The texts in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upbit_stream.monitoring.words import ENGLISH

__all__ = ["TEXTS"]

# What a report of the connection test names in English by itself.
_REPORT_NAMES = (
    "connectivity", "latency", "throughput", "stability", "snapshots", "given stream",
    "pings", "in all", "reconnects", "longest silence", "dropped", "undecodable", "memory", "gap",
    "no message", "ended", "state", "messages", "callback errors",
    "DNS", "TCP", "TLS", "upgrade", "first data", "not reached", "not used",
    "connecting", "starting the streams", "observing", "done",
    "stages of connecting that did not pass", "ping latency, median",
    "ping latency, standard deviation", "first snapshot, slowest request",
    "codes without a snapshot", "types without any message",
    "gaps with trades that are missing", "streams that ended for good", "dropped events",
    "undecodable frames",
)  # fmt: skip

_HELP: Final = {
    "app.help": """Upbit's live market data in the terminal.

Examples:
  upbit-stream watch --demo                      try it, without a network
  upbit-stream watch KRW-BTC KRW-ETH             prices as they change
  upbit-stream watch KRW-BTC -t trade --json     every trade, as a line of JSON
  upbit-stream record KRW-BTC -o btc.jsonl       every trade, into a file
  upbit-stream replay btc.jsonl --speed 10       the same, ten times as fast
  upbit-stream markets bitcoin                   which markets there are
  upbit-stream doctor                            is this machine fit for it
  upbit-stream diagnose                          is the connection well
  upbit-stream simulate --port 8765              a simulated exchange""",
    "watch.short": "Show live data: prices, order books, trades, candles.",
    "watch.help": """Show live data: views on a terminal, a line for each event in a pipe.

Keys: 1 prices, 2 order book, 3 trades, 4 candles (Tab: the next), arrows another market, t a
table of all markets, u other candles, ? all keys, q quits. UPBIT_STREAM_URL in the environment
leads to another server.

Examples:
  upbit-stream watch KRW-BTC KRW-ETH
  upbit-stream watch KRW-BTC --type orderbook
  upbit-stream watch KRW-BTC --type candle.15m
  upbit-stream watch --demo --type trade --seconds 10
  upbit-stream watch KRW-BTC --type trade --json | head -100 > trades.jsonl""",
    "record.short": "Record live data into a file that survives a crash.",
    "record.help": """Record live data: what was written reads back whole, whatever ends the
program.

Ctrl-C ends it. The exit code is 1 when an event is not in the recording. Beside the file is a
manifest with counts, times and gaps. "upbit-stream replay" shows a recording,
upbit_stream.read_recording() reads it, "upbit-stream simulate --replay" serves it as a market.

Examples:
  upbit-stream record KRW-BTC --out trades.jsonl
  upbit-stream record KRW-BTC -t trade -t orderbook -o btc.jsonl --rotate 1h
  upbit-stream record --demo --seconds 10 --out demo.jsonl""",
    "replay.short": "Show a recording, as fast as it was or faster.",
    "replay.help": """Show a recording: in the views of "watch" on a terminal, a line for each
event in a pipe.

Events come at the times at which they came, --speed times as fast; into a pipe they go at once,
unless --speed says otherwise. Pauses of more than a minute are left out. Keys: space holds it, +
and - change the speed, and all keys of "watch". For programs to connect to: "upbit-stream
simulate --replay".

Examples:
  upbit-stream replay trades.jsonl
  upbit-stream replay btc.jsonl KRW-BTC --type orderbook --speed 10
  upbit-stream replay trades.jsonl --json | head -100""",
    "markets.short": "List the markets, searched by code or name.",
    "markets.help": """List the markets of the exchange: code, Korean and English name, and what
the exchange warns of.

Only markets in which every word is found, in the code or a name. The exit code is 1 when there is
none. The codes are kept for completion in the shell.

Examples:
  upbit-stream markets
  upbit-stream markets bitcoin
  upbit-stream markets 리플 --quote KRW
  upbit-stream markets eth --json
  upbit-stream markets --demo""",
    "diagnose.short": "Test the connection, and say what is wrong with it.",
    "diagnose.help": """Test the connection: name, network, certificate, upgrade, data; then
latency, throughput, stability and snapshots of running streams. No keys
are needed.

The exit code is 0 when all is well, 1 when it is not (or after Ctrl-C, before it is known).
UPBIT_STREAM_URL in the environment leads to another server.

Examples:
  upbit-stream diagnose
  upbit-stream diagnose --demo --seconds 3
  upbit-stream diagnose KRW-BTC KRW-ETH --seconds 60
  upbit-stream diagnose --json > report.json""",
    "doctor.short": "Look at this machine, and say what to do.",
    "doctor.help": """Look at this machine: versions, memory, descriptors, the environment, the
terminal, proxies, the way to the exchange, its certificate, and by how much
the clock is off.

Of variables in the environment only the names are shown, never a value. The exit code is 0 when
nothing fails, 1 when something does. How good the connection is over some time: "upbit-stream
diagnose".

Examples:
  upbit-stream doctor
  upbit-stream doctor --offline
  upbit-stream doctor --demo
  upbit-stream doctor --json > doctor.json""",
    "simulate.short": "Serve a simulated Upbit to test against.",
    "simulate.help": """Serve a simulated Upbit, WebSocket and REST, for programs to be tested
against.

Ctrl-C ends it. With --replay it sends a recording to whoever subscribes to what is in it; to look
at a recording yourself: "upbit-stream replay".

Examples:
  upbit-stream simulate --port 8765
  upbit-stream simulate --rate 5000 --codes 200
  upbit-stream simulate --codes KRW-BTC,BTC-ETH --realistic
  upbit-stream simulate --replay trades.jsonl --replay-speed 1""",
    "publish.short": "Publish live data to a broker, for many readers.",
    "publish.help": """Publish live data to a broker; UpbitStream(source=URL) reads it, on any
machine.

Run two of them, on two machines, with the same markets: each event is there once, and either may
die at any moment. While the broker is away, what comes is kept. Ctrl-C ends it; the exit code is 1
when the broker did not take everything.

Examples:
  upbit-stream publish KRW-BTC KRW-ETH --to redis://localhost:6379
  upbit-stream publish KRW-BTC -t trade -t orderbook --to nats://localhost:4222
  upbit-stream publish --demo --to redis://localhost:6379""",
    "relay-status.short": "Say who publishes to a broker, and who reads from it.",
    "relay-status.help": """Say who publishes to a broker and who reads from it, as they reported
within the last seconds.

The lag is from the publisher's receipt of the newest event to its arrival at the consumer. The exit
code is 1 when no publisher is connected to the exchange, or one of them has problems.

Examples:
  upbit-stream relay-status redis://localhost:6379
  upbit-stream relay-status nats://localhost:4222 --json""",
    "help.usage": "Usage:",
    "help.commands": "Commands:",
    "help.arguments": "Arguments:",
    "help.options": "Options:",
    "help.required": "required",
    "help.default": "default: {value}",
    "option.help": "Show this help.",
    "option.version": "Show the version.",
    "option.install_completion": "Set up completion for the shell that is used.",
    "option.show_completion": "Show what --install-completion would set up.",
    "option.codes": "Markets, such as KRW-BTC. All by default with --demo.",
    "option.codes_recorded": "Markets, such as KRW-BTC. All of the recording by default.",
    "option.codes_diagnosed": "Markets, such as KRW-BTC. By default a few busy ones.",
    "option.type": "ticker, trade, orderbook, candle.1s … candle.240m.",
    "option.types": "ticker, trade, orderbook, candle.1s … candle.240m; several times for several. "
    "By default trade.",
    "option.types_recorded": "ticker, trade, orderbook, candle.1s … candle.240m; several times "
    "for several (on a terminal the first is shown first). By default all.",
    "option.demo": "A simulated exchange in this process; needs no network.",
    "option.json": "JSON, a line for each thing that is told, and nothing else.",
    "option.exact": "Numbers with every digit of the wire, not as floats.",
    "option.seconds": "Stop after N seconds.",
    "option.depth": "Rows of an order book: 1, 5, 15 or 30.",
    "option.region": "The country's exchange: kr, sg, id or th.",
    "option.url": "Another server: ws://… or wss://…, up to /websocket/v1.",
    "option.out": "Its name tells the format: .jsonl, or .jsonl.zst and .parquet, which need "
    'pip install "upbit-stream[recording]". A file that exists is gone on with.',
    "option.format": "jsonl, zstd or parquet, when the name tells none.",
    "option.rotate": "Begin another file at 100MB, after 1h, or 100MB,1h.",
    "option.recording": 'A recording of "upbit-stream record" or Recorder.',
    "option.speed": "1: as fast as recorded, 10: ten times as fast, 0: at once. By default 1 on a "
    "terminal, 0 in a pipe.",
    "option.words": "What to look for: bitcoin, 비트코인, BTC.",
    "option.quote": "Only markets in this currency: KRW, BTC, USDT.",
    "option.observe": "Look at running streams for N seconds.",
    "option.offline": "Leave out whatever needs the network.",
    "option.to": "The broker: redis://[:password@]host:port or nats://[user:password@]host:port.",
    "option.buffer": "Events of each type that are kept while the broker is away.",
    "option.max_length": "Entries of each type and market that the broker keeps.",
    "option.max_age": "Instead of it: for how many seconds it keeps them.",
    "option.host": "The address to listen on.",
    "option.port": "0 finds a free one.",
    "option.rate": "Trades a second, over all markets.",
    "option.markets": "How many markets, or their codes with commas between. By default 20.",
    "option.seed": "The same seed gives the same market.",
    "option.realistic": "Delays as measured on the exchange.",
    "option.tls_cert": "Serve wss:// with this certificate (PEM).",
    "option.tls_key": "Its key, when that is in a file of its own.",
    "option.replay": "Send a recording, or frames, one a line.",
    "option.replay_speed": "1: as fast as recorded, 10: ten times as fast. Without: all at once.",
}

_SHOWN: Final = {
    "view.ticker": "Prices",
    "view.orderbook": "Book",
    "view.trade": "Trades",
    "view.candle": "Candles",
    "picture.simulated": "SIMULATED DATA",
    "picture.hint": "? keys  q quit",
    "picture.hint_short": "? keys",
    "state.disconnected": "disconnected",
    "state.connecting": "connecting",
    "state.connected": "connected",
    "state.reconnecting": "reconnecting",
    "state.disconnecting": "disconnecting",
    "state.error": "error",
    "status.latency": "latency {latency}",
    "status.rate": "{rate} msg/s",
    "status.dropped": "{count} dropped",
    "status.reconnects": "{count} reconnects",
    "table.waiting": "waiting",
    "table.more": "... {count} more, with the arrow keys or in a taller window",
    "codes.one": "1 code",
    "codes.many": "{count} codes",
    "side.buy": "buy",
    "side.sell": "sell",
    "column.code": "Code",
    "column.price": "Price",
    "column.change": "Change",
    "column.volume_24h": "Volume 24h",
    "column.value_24h": "Value 24h",
    "column.high": "High",
    "column.low": "Low",
    "column.last_size": "Last size",
    "column.volume": "Volume",
    "column.side": "Side",
    "column.time": "Time",
    "column.value": "Value",
    "column.best_bid": "Best bid",
    "column.best_ask": "Best ask",
    "column.bid_size": "Bid size",
    "column.bid": "Bid",
    "column.ask": "Ask",
    "column.ask_size": "Ask size",
    "column.spread": "Spread",
    "column.spread_share": "Spread %",
    "column.all_bids": "All bids",
    "column.all_asks": "All asks",
    "column.start": "Start",
    "column.open": "Open",
    "column.close": "Close",
    "column.age": "Age",
    "column.rate": "Msg/s",
    "column.size": "Size",
    "column.sum": "Sum",
    "book.depth": "Depth",
    "book.spread": "spread {spread}",
    "book.bids": "bids {size}",
    "book.asks": "asks {size}",
    "book.share": "{share} of it bids",
    "keys.title": "Keys",
    "keys.view": "prices, order book, trades, candles",
    "keys.next_view": "the next view (Shift-Tab: the one before)",
    "keys.code": "another market",
    "keys.arrows": "arrows",
    "keys.table": "a table of all markets, or one of them",
    "keys.all": "the trades of all markets, or of one",
    "keys.unit": "candles of another length",
    "keys.help": "these keys",
    "keys.quit": "quit",
    "keys.pause": "hold, and go on",
    "keys.speed": "faster, slower",
    "replay.playing": "playing",
    "replay.paused": "held",
    "replay.ended": "the end",
    "replay.at_once": "at once",
    "replay.not_begun": "not begun",
    "replay.events": "{count} events",
    "record.events": "{count} events",
    "record.recorded": "{count} events recorded, {size} in {files}",
    "record.gaps": ", {count} gaps",
    "record.lost": ", {count} lost",
    "record.summary": "{out}: {what}, {dropped}, in {seconds} s",
    "record.hint": "Ctrl-C ends it",
    "record.goes_on": "{out} has {count} events already, from {since} to {until}; what comes now "
    "is added behind them",
    "record.other_depth": "the order books in it have {before} rows, those that come now {now}",
    "publish.begin": "publishing {types} of {codes} to {url}; connecting",
    "publish.end": "waiting for up to {seconds} s for {count} events that are still unsent",
    "publish.line": "{published} events published{rate}, {duplicates} duplicates, "
    "{buffered} waiting, {dropped}",
    "publish.away": "the broker is away: ",
    "relay.how_to_publish": "begin with: upbit-stream publish KRW-BTC KRW-ETH --to {url}",
    "relay.nobody_reads": 'nobody reads here; a program does with UpbitStream(source="{url}")',
    "relay.publisher": "Publisher",
    "relay.consumer": "Consumer",
    "relay.state": "State",
    "relay.group": "Name",
    "relay.lanes": "Lanes",
    "relay.rate": "Events/s",
    "relay.published": "Published",
    "relay.buffered": "Waiting",
    "relay.dropped": "Dropped",
    "relay.received": "Received",
    "relay.lag": "Lag",
    "files.one": "1 file",
    "files.many": "{count} files",
    "demo.simulated": "simulated data, not the exchange's",
    "markets.korean": "Korean name",
    "markets.english": "English name",
    "markets.count": "{found} of {all} markets",
    "simulate.welcome": "A simulated Upbit is running: {codes}, {rate} trades a second. Ctrl-C "
    """ends it.

  WebSocket  {url}
  REST       {rest_url}
  Keys       UPBIT_ACCESS_KEY={access_key}
             UPBIT_SECRET_KEY={secret_key}

To watch it, in another terminal:

  {line}

A program of yours connects to it like this:

  {program}
""",
    "diagnose.criterion": "Criterion",
    "diagnose.measured": "Measured",
    "diagnose.limit": "Limit",
    "diagnose.verdict": "Verdict",
}

_DOCTOR: Final = {
    "doctor.software": "Software",
    "doctor.machine": "Machine",
    "doctor.settings": "Environment",
    "doctor.terminal": "Terminal",
    "doctor.network": "Network",
    "check.python": "Python",
    "check.processors": "processors",
    "check.memory": "memory",
    "check.descriptors": "open files",
    "check.keys": "keys",
    "check.addresses": "addresses",
    "check.screen": "screen",
    "check.colours": "colours",
    "check.keyboard": "keyboard",
    "check.encoding": "encoding",
    "check.language": "language",
    "check.address": "address",
    "check.proxy": "proxy",
    "check.DNS": "DNS",
    "check.TCP": "TCP",
    "check.TLS": "TLS",
    "check.upgrade": "upgrade",
    "check.first data": "first data",
    "check.certificate": "certificate",
    "check.rest": "REST",
    "check.clock": "clock",
    "doctor.missing": "missing",
    "doctor.processors": "{cores}, load {load}",
    "doctor.memory": "{free} free of {total}",
    "doctor.descriptors": "at most {limit}, {used} in use",
    "doctor.set": "{names}: set",
    "doctor.is_set": "set",
    "doctor.no_keys": "none set; market data needs none",
    "doctor.no_terminal": "no terminal to draw on (TERM={term}): lines instead of views",
    "doctor.no_colours": "none, as NO_COLOR wants it",
    "doctor.keyboard": "there",
    "doctor.no_keyboard": "none: Ctrl-C ends what runs",
    "doctor.language": "English ({name})",
    "doctor.proxy": "{proxy}",
    "doctor.no_proxy": "none for this address",
    "doctor.certificate": "{version}, by {issuer}, {days} days left",
    "doctor.no_clock": "the server does not tell its time",
    "doctor.clock": "{seconds} s against the server's",
    "doctor.well": "This machine is fit.",
    "doctor.fairly_well": "This machine is fit. To look at: {warned}.",
    "doctor.not_well": "This machine is NOT fit. Failed: {failed}, to look at: {warned}.",
    "doctor.next": "How good the connection is over some time: upbit-stream diagnose",
    "doctor.again": "Then again: upbit-stream doctor",
    "advice.python": "install Python 3.10 or newer, in a virtual environment of its own",
    "advice.package": 'pip install "{requirement}"',
    "advice.extra": 'if you need it: pip install "upbit-stream[{extra}]"',
    "advice.load": "the machine is busy: callbacks may lag behind; end what else runs, or move",
    "advice.memory": "little memory is free: end what else runs, or lower "
    "StreamConfig(queue_size=…)",
    "advice.descriptors": "allow more open files: ulimit -n {limit}",
    "advice.half_keys": "{missing} is missing: an account needs both keys",
    "advice.addresses": "streams go there instead of to the exchange; unset them if that is "
    "not meant",
    "advice.certificates": "{name} names what does not exist: correct it, or unset it",
    "advice.narrow": "make the window wider: below {width} columns tables leave much out",
    "advice.encoding": "set a locale with UTF-8 (LANG=en_US.UTF-8): bars and candles are "
    "drawn with #",
    "advice.proxy": "the stream and REST go through it; name the host in no_proxy if they should "
    "not",
    "advice.DNS": "check the host in the URL, and that a name server answers",
    "advice.TCP": "check host and port in the URL, and that no firewall is in the way",
    "advice.TLS": "check that the port serves TLS, and the machine's certificates (SSL_CERT_FILE)",
    "advice.upgrade": "check that the URL is the exchange's WebSocket, and try again in a minute",
    "advice.first data": "check that the market exists, and look for the exchange's announcements",
    "advice.rest": "check that this machine may reach the exchange's HTTPS; without it gaps "
    "are told and not repaired",
    "advice.unverified": "the certificate is not verified: do not switch that off for real keys",
    "advice.certificate": "the certificate ends soon: the server's owner has to renew it",
    "advice.clock": "set the clock, or let the system do it (NTP): times and ages are told "
    "wrongly, and certificates may be refused",
}

_FAILED: Final = {
    "failed.seconds": "--seconds {seconds}: a number above 0 is needed",
    "failed.speed": "--speed {speed}: a number above 0 is needed, or 0 for all at once",
    "failed.port": "--port {port}: a number from 0 to 65535 is needed; 0 finds a free one",
    "failed.nothing_came": "nothing has come; {hint}",
    "failed.hint": '"upbit-stream doctor" says what is wrong; "upbit-stream watch --demo" needs no '
    "network",
    "failed.type": "there is no type {type!r}: choose one of {types}",
    "failed.codes": 'name at least one market, as in "upbit-stream {example}", or try '
    '"upbit-stream {command} --demo"',
    "failed.subscription_ended": "the subscription has ended",
    "failed.lost": "{count} events are not in the recording",
    "failed.exact": "{out} was recorded without --exact; leave it out, or choose another file",
    "failed.not_exact": "{out} was recorded with --exact; give it again, or choose another file",
    "failed.not_taken": "{url} did not take everything",
    "failed.format": "--format {name}: choose one of {formats}",
    "failed.rotate": "--rotate {limit}: a size (500kB, 100MB, 1GB), a time (30s, 15m, 1h, 1d), or "
    "both with a comma between",
    "failed.read": "cannot read {file}: {why}",
    "failed.recording": "{file} is no recording: one frame of JSON a line is needed ({why})",
    "failed.nothing_to_replay": "{file} has nothing of that to show; it has: {has}",
    "failed.tls_key": "--tls-key needs --tls-cert, the certificate that belongs to it",
    "failed.tls": "cannot serve TLS with {files}: {why}; a certificate and its key in PEM format "
    "are needed",
    "failed.port_in_use": "port {port} of {host} is in use by another program; choose another "
    "--port, 0 finds a free one",
    "failed.listen": "cannot listen on port {port} of {host}: {why}",
    "failed.output": "cannot write the output: {why}",
    "failed.demo_and_url": "--demo and --url: choose one of them",
    "failed.no_verdict": "interrupted, so there is no verdict",
    "failed.interrupted": "it was interrupted",
    "failed.markets": 'the market list cannot be had: {why}; "upbit-stream doctor" looks why',
    "failed.no_market": "none of {count} markets has {what!r} in its code or name",
    "usage.no_such_option": "there is no option {option}",
    "usage.no_such_command": "there is no command {command!r}",
    "usage.perhaps": "; did you mean {name!r}?",
    "usage.missing": "{name} is missing",
    "usage.bad_value": "{name}: {why}",
    "usage.see": '"{command} --help" shows what there is',
}

TEXTS: Final[Mapping[str, str]] = {
    **_HELP,
    **_SHOWN,
    **_DOCTOR,
    **_FAILED,
    **{f"report.{name}": name for name in _REPORT_NAMES},
    **{f"report.{key}": words for key, words in ENGLISH.items()},
}
