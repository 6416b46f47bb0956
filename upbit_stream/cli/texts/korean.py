"""The texts in Korean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TEXTS"]

_HELP: Final = {
    "app.help": """터미널에서 보는 업비트 실시간 시세.

예:
  upbit-stream watch --demo                      네트워크 없이 시험해 보기
  upbit-stream watch KRW-BTC KRW-ETH             변하는 현재가
  upbit-stream watch KRW-BTC -t trade --json     모든 체결을 JSON 한 줄씩
  upbit-stream record KRW-BTC -o btc.jsonl       모든 체결을 파일로
  upbit-stream replay btc.jsonl --speed 10       그 기록을 열 배 빠르게 다시
  upbit-stream markets 비트코인                  어떤 마켓이 있는지
  upbit-stream doctor                            이 컴퓨터에 문제가 있는지
  upbit-stream diagnose                          연결에 문제가 있는지
  upbit-stream simulate --port 8765              시험용 모의 거래소""",
    "watch.short": "실시간 시세: 현재가, 호가, 체결, 캔들.",
    "watch.help": """실시간 시세를 보여 줍니다. 터미널에서는 화면으로, 파이프에서는 이벤트마다 한
줄로.

키: 1 현재가, 2 호가, 3 체결, 4 캔들 (Tab: 다음), 화살표 다른 마켓, t 모든 마켓의 표, u 다른
길이의 캔들, ? 모든 키, q 끝내기. 환경 변수 UPBIT_STREAM_URL로 다른 서버를 쓸 수 있습니다.

예:
  upbit-stream watch KRW-BTC KRW-ETH
  upbit-stream watch KRW-BTC --type orderbook
  upbit-stream watch KRW-BTC --type candle.15m
  upbit-stream watch --demo --type trade --seconds 10
  upbit-stream watch KRW-BTC --type trade --json | head -100 > trades.jsonl""",
    "record.short": "실시간 시세를 비정상 종료에도 남는 파일로 기록.",
    "record.help": """실시간 시세를 기록합니다. 프로그램이 어떻게 끝나든 기록된 것은 온전히
읽힙니다.

Ctrl-C로 끝냅니다. 기록에 빠진 이벤트가 있으면 종료 코드는 1입니다. 파일 옆의 매니페스트에 개수,
시각, 공백이 적힙니다. 기록은 "upbit-stream replay"로 보고, upbit_stream.read_recording()으로
읽고, "upbit-stream simulate --replay"로 다시 서비스합니다.

예:
  upbit-stream record KRW-BTC --out trades.jsonl
  upbit-stream record KRW-BTC -t trade -t orderbook -o btc.jsonl --rotate 1h
  upbit-stream record --demo --seconds 10 --out demo.jsonl""",
    "replay.short": "기록을 그때 속도로, 또는 더 빠르게 보기.",
    "replay.help": """기록을 보여 줍니다. 터미널에서는 "watch"의 화면으로, 파이프에서는 이벤트마다
한 줄로.

이벤트는 기록된 시각의 간격대로, --speed 배 빠르게 나옵니다. 파이프에서는 --speed가 없으면
한꺼번에 나옵니다. 1분이 넘는 빈 시간은 건너뜁니다. 키: 스페이스 멈춤, + 와 - 속도, 그리고
"watch"의 모든 키. 프로그램이 접속할 서버가 필요하면 "upbit-stream simulate --replay".

예:
  upbit-stream replay trades.jsonl
  upbit-stream replay btc.jsonl KRW-BTC --type orderbook --speed 10
  upbit-stream replay trades.jsonl --json | head -100""",
    "markets.short": "마켓 목록을 코드나 이름으로 찾기.",
    "markets.help": """거래소의 마켓을 나열합니다: 코드, 한글 이름, 영문 이름, 거래소의 유의 표시.

모든 낱말이 코드나 이름에 있는 마켓만 나옵니다. 하나도 없으면 종료 코드는 1입니다. 코드는 셸 자동
완성을 위해 저장됩니다.

예:
  upbit-stream markets
  upbit-stream markets 비트코인
  upbit-stream markets 리플 --quote KRW
  upbit-stream markets eth --json
  upbit-stream markets --demo""",
    "diagnose.short": "연결을 시험하고 무엇이 문제인지 알림.",
    "diagnose.help": """연결을 시험합니다: 이름, 네트워크, 인증서, 업그레이드, 데이터. 이어서 실행
중인 스트림의 지연, 처리량, 안정성, 스냅샷을 봅니다. 키는 필요 없습니다.

모두 좋으면 종료 코드는 0, 아니면(또는 판정 전에 Ctrl-C를 누르면) 1입니다. 환경 변수
UPBIT_STREAM_URL로 다른 서버를 쓸 수 있습니다.

예:
  upbit-stream diagnose
  upbit-stream diagnose --demo --seconds 3
  upbit-stream diagnose KRW-BTC KRW-ETH --seconds 60
  upbit-stream diagnose --json > report.json""",
    "doctor.short": "이 컴퓨터를 살펴보고 할 일을 알림.",
    "doctor.help": """이 컴퓨터를 살펴봅니다: 버전, 메모리, 파일 한도, 환경 변수, 터미널, 프록시,
거래소까지의 길, 인증서, 시계가 얼마나 어긋났는지.

환경 변수는 이름만 보이고 값은 보이지 않습니다. 실패가 없으면 종료 코드는 0, 있으면 1입니다.
한동안의 연결 품질은 "upbit-stream diagnose"로 봅니다.

예:
  upbit-stream doctor
  upbit-stream doctor --offline
  upbit-stream doctor --demo
  upbit-stream doctor --json > doctor.json""",
    "simulate.short": "시험에 쓸 모의 업비트 서버.",
    "simulate.help": """프로그램을 시험할 모의 업비트(WebSocket과 REST)를 실행합니다.

Ctrl-C로 끝냅니다. --replay를 주면 기록에 있는 것을 구독하는 쪽에 그 기록을 보냅니다. 기록을 직접
보려면 "upbit-stream replay".

예:
  upbit-stream simulate --port 8765
  upbit-stream simulate --rate 5000 --codes 200
  upbit-stream simulate --codes KRW-BTC,BTC-ETH --realistic
  upbit-stream simulate --replay trades.jsonl --replay-speed 1""",
    "publish.short": "실시간 시세를 브로커로 보내 여럿이 읽게 함.",
    "publish.help": """실시간 시세를 브로커로 보냅니다. 어느 컴퓨터에서든
UpbitStream(source=URL)로 읽습니다.

같은 마켓으로 두 컴퓨터에서 하나씩 실행하면 이벤트는 하나씩만 남고, 어느 쪽이 언제 죽어도 됩니다.
브로커가 없는 동안 온 것은 보관합니다. Ctrl-C로 끝냅니다. 브로커가 다 받지 못했으면 종료 코드는
1입니다.

예:
  upbit-stream publish KRW-BTC KRW-ETH --to redis://localhost:6379
  upbit-stream publish KRW-BTC -t trade -t orderbook --to nats://localhost:4222
  upbit-stream publish --demo --to redis://localhost:6379""",
    "relay-status.short": "누가 브로커로 보내고 누가 읽는지 알림.",
    "relay-status.help": """누가 브로커로 보내고 누가 읽는지, 최근 몇 초의 보고대로 알립니다.

지연은 보내는 쪽이 최신 이벤트를 받은 때부터 읽는 쪽에 도착할 때까지입니다. 거래소에 연결된 송신자가
없거나 송신자에 문제가 있으면 종료 코드는 1입니다.

예:
  upbit-stream relay-status redis://localhost:6379
  upbit-stream relay-status nats://localhost:4222 --json""",
    "help.usage": "사용법:",
    "help.commands": "명령:",
    "help.arguments": "인자:",
    "help.options": "옵션:",
    "help.required": "필수",
    "help.default": "기본값: {value}",
    "option.help": "이 도움말을 보여 줍니다.",
    "option.version": "버전을 보여 줍니다.",
    "option.install_completion": "지금 쓰는 셸에 자동 완성을 설정합니다.",
    "option.show_completion": "--install-completion이 설정할 내용을 보여 줍니다.",
    "option.codes": "KRW-BTC 같은 마켓. --demo에서는 기본으로 전부.",
    "option.codes_recorded": "KRW-BTC 같은 마켓. 기본으로 기록에 있는 전부.",
    "option.codes_diagnosed": "KRW-BTC 같은 마켓. 기본으로 거래가 많은 몇 개.",
    "option.type": "ticker, trade, orderbook, candle.1s … candle.240m.",
    "option.types": "ticker, trade, orderbook, candle.1s … candle.240m. 여러 번 쓸 수 있습니다. "
    "기본값은 trade.",
    "option.types_recorded": "ticker, trade, orderbook, candle.1s … candle.240m. 여러 번 쓸 수 "
    "있습니다(터미널에서는 첫 번째가 먼저 보입니다). 기본으로 전부.",
    "option.demo": "이 프로세스 안의 모의 거래소를 씁니다. 네트워크가 필요 없습니다.",
    "option.json": "JSON으로, 한 건에 한 줄씩, 그 밖에는 아무것도 쓰지 않습니다.",
    "option.exact": "숫자를 float가 아니라 모든 자릿수 그대로.",
    "option.seconds": "N초 뒤에 멈춥니다.",
    "option.depth": "호가의 줄 수: 1, 5, 15, 30.",
    "option.region": "나라별 거래소: kr, sg, id, th.",
    "option.url": "다른 서버: ws://… 또는 wss://…, /websocket/v1까지.",
    "option.out": "이름이 형식을 정합니다: .jsonl, 또는 .jsonl.zst와 .parquet(이 둘은 "
    'pip install "upbit-stream[recording]" 필요). 이미 있으면 이어서 씁니다.',
    "option.format": "이름으로 알 수 없을 때 jsonl, zstd, parquet.",
    "option.rotate": "100MB마다, 1h마다, 또는 100MB,1h마다 새 파일.",
    "option.recording": '"upbit-stream record"나 Recorder의 기록.',
    "option.speed": "1: 기록된 속도, 10: 열 배, 0: 한꺼번에. 기본값은 터미널에서 1, 파이프에서 0.",
    "option.words": "찾을 말: bitcoin, 비트코인, BTC.",
    "option.quote": "이 통화의 마켓만: KRW, BTC, USDT.",
    "option.observe": "실행 중인 스트림을 N초 동안 봅니다.",
    "option.offline": "네트워크가 필요한 것은 건너뜁니다.",
    "option.to": "브로커: redis://[:비밀번호@]호스트:포트 또는 nats://[사용자:비밀번호@]호스트:포트.",
    "option.buffer": "브로커가 없는 동안 종류마다 보관할 이벤트 수.",
    "option.max_length": "브로커가 종류와 마켓마다 보관할 항목 수.",
    "option.max_age": "그 대신 보관할 시간(초).",
    "option.host": "접속을 받을 주소.",
    "option.port": "0이면 빈 포트를 찾습니다.",
    "option.rate": "모든 마켓을 합친 초당 체결 수.",
    "option.markets": "마켓 수, 또는 쉼표로 나눈 코드. 기본값은 20.",
    "option.seed": "시드가 같으면 시장도 같습니다.",
    "option.realistic": "거래소에서 잰 지연을 그대로.",
    "option.tls_cert": "이 인증서(PEM)로 wss://를 서비스합니다.",
    "option.tls_key": "키가 다른 파일에 있을 때 그 파일.",
    "option.replay": "기록 또는 한 줄에 하나인 프레임을 보냅니다.",
    "option.replay_speed": "1: 기록된 속도, 10: 열 배. 없으면 한꺼번에.",
}

_SHOWN: Final = {
    "view.ticker": "현재가",
    "view.orderbook": "호가",
    "view.trade": "체결",
    "view.candle": "캔들",
    "picture.simulated": "모의 데이터",
    "picture.hint": "? 단축키  q 끝내기",
    "picture.hint_short": "? 단축키",
    "state.disconnected": "연결 안 됨",
    "state.connecting": "연결 중",
    "state.connected": "연결됨",
    "state.reconnecting": "다시 연결 중",
    "state.disconnecting": "끊는 중",
    "state.error": "오류",
    "status.latency": "지연 {latency}",
    "status.rate": "초당 {rate}건",
    "status.dropped": "버림 {count}",
    "status.reconnects": "재연결 {count}",
    "table.waiting": "기다리는 중",
    "table.more": "... {count}개 더: 화살표 키로, 또는 창을 더 높게",
    "codes.one": "마켓 1개",
    "codes.many": "마켓 {count}개",
    "side.buy": "매수",
    "side.sell": "매도",
    "column.code": "코드",
    "column.price": "현재가",
    "column.change": "등락률",
    "column.volume_24h": "거래량 24h",
    "column.value_24h": "거래대금 24h",
    "column.high": "고가",
    "column.low": "저가",
    "column.last_size": "체결량",
    "column.volume": "거래량",
    "column.side": "구분",
    "column.time": "시각",
    "column.value": "금액",
    "column.best_bid": "매수호가",
    "column.best_ask": "매도호가",
    "column.bid_size": "매수잔량",
    "column.bid": "매수호가",
    "column.ask": "매도호가",
    "column.ask_size": "매도잔량",
    "column.spread": "스프레드",
    "column.spread_share": "스프레드 %",
    "column.all_bids": "총매수",
    "column.all_asks": "총매도",
    "column.start": "시작",
    "column.open": "시가",
    "column.close": "종가",
    "column.age": "경과",
    "column.rate": "건/초",
    "column.size": "잔량",
    "column.sum": "누적",
    "book.depth": "깊이",
    "book.spread": "스프레드 {spread}",
    "book.bids": "매수 {size}",
    "book.asks": "매도 {size}",
    "book.share": "매수 비중 {share}",
    "keys.title": "단축키",
    "keys.view": "현재가, 호가, 체결, 캔들",
    "keys.next_view": "다음 화면 (Shift-Tab: 이전 화면)",
    "keys.code": "다른 마켓",
    "keys.arrows": "화살표",
    "keys.table": "모든 마켓의 표, 또는 한 마켓",
    "keys.all": "모든 마켓의 체결, 또는 한 마켓",
    "keys.unit": "다른 길이의 캔들",
    "keys.help": "이 도움말",
    "keys.quit": "끝내기",
    "keys.pause": "멈춤, 계속",
    "keys.speed": "빠르게, 느리게",
    "replay.playing": "재생 중",
    "replay.paused": "멈춤",
    "replay.ended": "끝",
    "replay.at_once": "한꺼번에",
    "replay.not_begun": "시작 전",
    "replay.events": "{count}건",
    "record.events": "{count}건",
    "record.recorded": "{count}건 기록, {files}에 {size}",
    "record.gaps": ", 공백 {count}",
    "record.lost": ", 빠짐 {count}",
    "record.summary": "{out}: {what}, {dropped}, {seconds}초 동안",
    "record.hint": "Ctrl-C로 끝냅니다",
    "record.goes_on": "{out}에 이미 {count}건이 있습니다({since}부터 {until}까지). "
    "그 뒤에 이어서 씁니다",
    "record.other_depth": "그 안의 호가는 {before}줄, 이제 오는 호가는 {now}줄입니다",
    "publish.begin": "{codes}의 {types}을(를) {url}로 보냅니다. 연결 중",
    "publish.end": "아직 보내지 못한 {count}건을 최대 {seconds}초 기다립니다",
    "publish.line": "{published}건 보냄{rate}, 이미 있던 것 {duplicates}, "
    "대기 {buffered}, {dropped}",
    "publish.away": "브로커가 없습니다. ",
    "relay.how_to_publish": "보내려면: upbit-stream publish KRW-BTC KRW-ETH --to {url}",
    "relay.nobody_reads": '받는 프로그램이 없습니다. 받으려면: UpbitStream(source="{url}")',
    "relay.publisher": "송신자",
    "relay.consumer": "수신자",
    "relay.state": "상태",
    "relay.group": "이름",
    "relay.lanes": "줄기",
    "relay.rate": "건/초",
    "relay.published": "보냄",
    "relay.buffered": "대기",
    "relay.dropped": "버림",
    "relay.received": "받음",
    "relay.lag": "지연",
    "files.one": "파일 1개",
    "files.many": "파일 {count}개",
    "demo.simulated": "거래소가 아닌 모의 데이터입니다",
    "markets.korean": "한글 이름",
    "markets.english": "영문 이름",
    "markets.count": "마켓 {all}개 중 {found}개",
    "simulate.welcome": "모의 업비트가 실행 중입니다: {codes}, 초당 체결 {rate}건. Ctrl-C로 "
    """끝냅니다.

  WebSocket  {url}
  REST       {rest_url}
  키         UPBIT_ACCESS_KEY={access_key}
             UPBIT_SECRET_KEY={secret_key}

다른 터미널에서 보려면:

  {line}

직접 만든 프로그램은 이렇게 접속합니다:

  {program}
""",
    "diagnose.criterion": "기준",
    "diagnose.measured": "측정값",
    "diagnose.limit": "한도",
    "diagnose.verdict": "판정",
}

_DOCTOR: Final = {
    "doctor.software": "소프트웨어",
    "doctor.machine": "컴퓨터",
    "doctor.settings": "환경 변수",
    "doctor.terminal": "터미널",
    "doctor.network": "네트워크",
    "check.python": "파이썬",
    "check.processors": "프로세서",
    "check.memory": "메모리",
    "check.descriptors": "열린 파일",
    "check.keys": "키",
    "check.addresses": "주소",
    "check.screen": "화면",
    "check.colours": "색",
    "check.keyboard": "키보드",
    "check.encoding": "인코딩",
    "check.language": "언어",
    "check.address": "주소",
    "check.proxy": "프록시",
    "check.DNS": "DNS",
    "check.TCP": "TCP",
    "check.TLS": "TLS",
    "check.upgrade": "업그레이드",
    "check.first data": "첫 데이터",
    "check.certificate": "인증서",
    "check.rest": "REST",
    "check.clock": "시계",
    "doctor.missing": "없음",
    "doctor.processors": "{cores}개, 부하 {load}",
    "doctor.memory": "{total} 중 {free} 사용 가능",
    "doctor.descriptors": "최대 {limit}, 사용 중 {used}",
    "doctor.set": "{names}: 설정됨",
    "doctor.is_set": "설정됨",
    "doctor.no_keys": "설정 안 됨. 시세에는 필요 없습니다",
    "doctor.no_terminal": "그릴 수 있는 터미널이 아님 (TERM={term}): 화면 대신 줄로 씁니다",
    "doctor.no_colours": "NO_COLOR에 따라 쓰지 않음",
    "doctor.keyboard": "있음",
    "doctor.no_keyboard": "없음: Ctrl-C로 끝냅니다",
    "doctor.language": "한국어 ({name})",
    "doctor.proxy": "{proxy}",
    "doctor.no_proxy": "이 주소에는 없음",
    "doctor.certificate": "{version}, 발급 {issuer}, {days}일 남음",
    "doctor.no_clock": "서버가 시각을 알려 주지 않음",
    "doctor.clock": "서버보다 {seconds}초",
    "doctor.well": "이 컴퓨터는 괜찮습니다.",
    "doctor.fairly_well": "이 컴퓨터는 괜찮습니다. 살펴볼 것 {warned}개.",
    "doctor.not_well": "이 컴퓨터에 문제가 있습니다: 실패 {failed}개, 살펴볼 것 {warned}개.",
    "doctor.next": "한동안의 연결 품질: upbit-stream diagnose",
    "doctor.again": "그다음 다시: upbit-stream doctor",
    "advice.python": "파이썬 3.10 이상을 별도의 가상 환경에 설치하세요",
    "advice.package": 'pip install "{requirement}"',
    "advice.extra": '필요하다면: pip install "upbit-stream[{extra}]"',
    "advice.load": "컴퓨터가 바쁩니다. 콜백이 늦을 수 있으니 다른 작업을 줄이거나 옮기세요",
    "advice.memory": "남은 메모리가 적습니다. 다른 작업을 줄이거나 "
    "StreamConfig(queue_size=…)를 낮추세요",
    "advice.descriptors": "열 수 있는 파일 수를 늘리세요: ulimit -n {limit}",
    "advice.half_keys": "{missing}가 없습니다. 계정에는 두 키가 모두 필요합니다",
    "advice.addresses": "스트림이 거래소 대신 그 주소로 갑니다. 의도한 것이 아니면 지우세요",
    "advice.certificates": "{name}가 가리키는 것이 없습니다. 고치거나 지우세요",
    "advice.narrow": "창을 넓히세요. {width}칸보다 좁으면 표에서 많은 것이 빠집니다",
    "advice.encoding": "UTF-8 로캘을 쓰세요 (LANG=ko_KR.UTF-8). 막대와 캔들을 #으로 그리고 "
    "있습니다",
    "advice.proxy": "스트림과 REST가 이 프록시를 거칩니다. 거치지 않으려면 no_proxy에 호스트를 "
    "적으세요",
    "advice.DNS": "URL의 호스트와 네임 서버가 응답하는지 확인하세요",
    "advice.TCP": "URL의 호스트와 포트, 그리고 방화벽이 막지 않는지 확인하세요",
    "advice.TLS": "그 포트가 TLS를 쓰는지, 컴퓨터의 인증서(SSL_CERT_FILE)가 맞는지 확인하세요",
    "advice.upgrade": "URL이 거래소의 WebSocket인지 확인하고 1분 뒤에 다시 해 보세요",
    "advice.first data": "있는 마켓인지 확인하고 거래소의 공지를 살펴보세요",
    "advice.rest": "거래소의 HTTPS에 닿는지 확인하세요. 닿지 않으면 공백을 알리기만 하고 "
    "복구하지 못합니다",
    "advice.unverified": "인증서를 검증하지 않고 있습니다. 실제 키를 쓸 때는 끄지 마세요",
    "advice.certificate": "인증서가 곧 만료됩니다. 서버 쪽에서 갱신해야 합니다",
    "advice.clock": "시계를 맞추거나 시스템에 맡기세요(NTP). 시각과 경과가 틀리고 인증서가 "
    "거부될 수 있습니다",
}

_FAILED: Final = {
    "failed.seconds": "--seconds {seconds}: 0보다 큰 수가 필요합니다",
    "failed.speed": "--speed {speed}: 0보다 큰 수, 또는 한꺼번에 보려면 0이 필요합니다",
    "failed.port": "--port {port}: 0부터 65535까지의 수가 필요합니다. 0이면 빈 포트를 찾습니다",
    "failed.nothing_came": "아무것도 오지 않았습니다. {hint}",
    "failed.hint": '"upbit-stream doctor"로 무엇이 문제인지 볼 수 있고, "upbit-stream watch '
    '--demo"에는 네트워크가 필요 없습니다',
    "failed.type": "{type!r}라는 종류는 없습니다. 다음 중에서 고르세요: {types}",
    "failed.codes": '"upbit-stream {example}"처럼 마켓을 하나 이상 적거나 "upbit-stream {command} '
    '--demo"를 해 보세요',
    "failed.subscription_ended": "구독이 끝났습니다",
    "failed.lost": "이벤트 {count}건이 기록에 없습니다",
    "failed.exact": "{out}은(는) --exact 없이 기록되었습니다. 빼거나 다른 파일을 고르세요",
    "failed.not_exact": "{out}은(는) --exact로 기록되었습니다. 다시 넣거나 다른 파일을 고르세요",
    "failed.not_taken": "{url}이(가) 다 받지 못했습니다",
    "failed.format": "--format {name}: 다음 중에서 고르세요: {formats}",
    "failed.rotate": "--rotate {limit}: 크기(500kB, 100MB, 1GB), 시간(30s, 15m, 1h, 1d), 또는 "
    "쉼표로 둘 다",
    "failed.read": "{file}을(를) 읽을 수 없습니다: {why}",
    "failed.recording": "{file}은(는) 기록이 아닙니다. 한 줄에 JSON 프레임 하나가 필요합니다 "
    "({why})",
    "failed.nothing_to_replay": "{file}에는 보여 줄 것이 없습니다. 들어 있는 것: {has}",
    "failed.tls_key": "--tls-key에는 그 키의 인증서인 --tls-cert가 필요합니다",
    "failed.tls": "{files}(으)로 TLS를 서비스할 수 없습니다: {why}. PEM 형식의 인증서와 키가 "
    "필요합니다",
    "failed.port_in_use": "{host}의 포트 {port}는 다른 프로그램이 쓰고 있습니다. 다른 "
    "--port를 고르세요. 0이면 빈 포트를 찾습니다",
    "failed.listen": "{host}의 포트 {port}에서 접속을 받을 수 없습니다: {why}",
    "failed.output": "출력을 쓸 수 없습니다: {why}",
    "failed.demo_and_url": "--demo와 --url 중 하나만 쓰세요",
    "failed.no_verdict": "중단되어 판정이 없습니다",
    "failed.interrupted": "중단되었습니다",
    "failed.markets": '마켓 목록을 받을 수 없습니다: {why}. "upbit-stream doctor"로 까닭을 '
    "살펴보세요",
    "failed.no_market": "마켓 {count}개 중 코드나 이름에 {what!r}이(가) 있는 것이 없습니다",
    "usage.no_such_option": "{option} 옵션은 없습니다",
    "usage.no_such_command": "{command!r} 명령은 없습니다",
    "usage.perhaps": "; 혹시 {name!r}인가요?",
    "usage.missing": "{name}이(가) 빠졌습니다",
    "usage.bad_value": "{name}: {why}",
    "usage.see": '"{command} --help"에서 볼 수 있습니다',
}

_REPORT: Final = {
    "headline": "{url}: {health}, 기준 {count}개 중 {met}개 충족",
    "healthy": "정상",
    "not healthy": "비정상",
    "met": "충족",
    "not met": "미달",
    "failed after": "{time} 뒤 실패: {why}",
    "not measured": "측정 못 함",
    "below": "{limit} 미만",
    "at most": "{limit} 이하",
    "none": "없어야 함",
    "ping times": "{count}회: 최소 {min}, 중앙값 {p50}, p95 {p95}, p99 {p99}, 편차 {deviation}",
    "total": "{rate}, {seconds:.1f}초 동안",
    "rate": "초당 {messages:,.1f}건, 초당 {bytes}",
    "one code": "마켓 1개",
    "codes": "마켓 {count}개",
    "snapshot": "처음 {first}, 모두 {all}, {codes}개 중 {answered}개 응답",
    "events": "{count:,}건",
    "frames": "프레임 {count:,}개",
    "silence": "{longest:.2f}초 ({each})",
    "growth": "{start}, 초당 {slope} (실행 동안 {growth:+.2%})",
    "connectivity": "연결",
    "latency": "지연",
    "throughput": "처리량",
    "stability": "안정성",
    "snapshots": "스냅샷",
    "given stream": "주어진 스트림",
    "pings": "핑",
    "in all": "합계",
    "reconnects": "재연결",
    "longest silence": "가장 긴 침묵",
    "dropped": "버림",
    "undecodable": "해석 불가",
    "memory": "메모리",
    "gap": "공백",
    "no message": "메시지 없음",
    "ended": "끝남",
    "state": "상태",
    "messages": "메시지",
    "callback errors": "콜백 오류",
    "DNS": "DNS",
    "TCP": "TCP",
    "TLS": "TLS",
    "upgrade": "업그레이드",
    "first data": "첫 데이터",
    "not reached": "도달하지 못함",
    "not used": "쓰지 않음",
    "connecting": "연결 중",
    "starting the streams": "스트림 시작",
    "observing": "관찰 중",
    "done": "끝",
    "stages of connecting that did not pass": "통과하지 못한 연결 단계",
    "ping latency, median": "핑 지연, 중앙값",
    "ping latency, standard deviation": "핑 지연, 표준 편차",
    "first snapshot, slowest request": "첫 스냅샷, 가장 느린 요청",
    "codes without a snapshot": "스냅샷이 없는 마켓",
    "types without any message": "메시지가 없는 종류",
    "gaps with trades that are missing": "체결이 빠진 공백",
    "streams that ended for good": "완전히 종료된 스트림",
    "dropped events": "버린 이벤트",
    "undecodable frames": "해석 못 한 프레임",
}

TEXTS: Final[Mapping[str, str]] = {
    **_HELP,
    **_SHOWN,
    **_DOCTOR,
    **_FAILED,
    **{f"report.{key}": words for key, words in _REPORT.items()},
}
