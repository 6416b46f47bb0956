"""The language that notebooks speak: Korean where the locale is Korean, English elsewhere.

The English words are the keys, so that what has no translation shows in English.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

__all__ = ["is_korean", "say"]

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def is_korean(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the locale of the process is a Korean one."""
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in _VARIABLES if environ.get(name)), None)
    if named is None:  # Windows says it elsewhere
        named = locale.getlocale()[0] or ""
    return named.lower().startswith(("ko", "korean"))


def say(words: str) -> str:
    """``words``, a whole label in English, in the language of the locale."""
    return _KOREAN.get(words, words) if is_korean() else words


_KOREAN = {
    # States.
    "disconnected": "연결 안 됨",
    "connecting": "연결 중",
    "connected": "연결됨",
    "reconnecting": "재연결 중",
    "disconnecting": "종료 중",
    "error": "오류",
    "closed": "닫힘",
    # A stream and its subscriptions.
    "region": "지역",
    "connections": "연결",
    "subscriptions": "구독",
    "subscription": "구독",
    "type": "종류",
    "codes": "마켓",
    "callbacks": "콜백",
    "received": "받음",
    "delivered": "전달",
    "dropped": "버림",
    "queued": "대기",
    "errors": "오류",
    "newest event": "최근 이벤트",
    "silent": "응답 없음",
    "messages": "메시지",
    "nothing is subscribed": "구독이 없습니다",
    # Health.
    "Health": "상태",
    "healthy": "정상",
    "not healthy": "비정상",
    "state": "상태",
    "ping": "핑",
    "median": "중앙값",
    "success": "성공률",
    "reconnects": "재연결",
    "reconnects a minute": "분당 재연결",
    "messages a second": "초당 메시지",
    "newest message": "최근 메시지",
    "last error": "마지막 오류",
    "callback errors": "콜백 오류",
    "memory": "메모리",
    "never": "없음",
    "connection": "연결",
    # The connection test.
    "Connection test": "연결 진단",
    "connectivity": "연결 단계",
    "latency": "지연",
    "throughput": "처리량",
    "stability": "안정성",
    "snapshots": "스냅샷",
    "given stream": "주어진 스트림",
    "verdict": "판정",
    "criterion": "기준",
    "measured": "측정값",
    "demanded": "요구",
    "met": "충족",
    "not met": "미충족",
    "not measured": "측정 못 함",
    "pings": "핑",
    "in all": "합계",
    "longest silence": "최장 침묵",
    "undecodable": "해석 불가",
    "gap": "공백",
    "no message": "메시지 없음",
    "ended": "종료됨",
    "stages of connecting that did not pass": "통과하지 못한 연결 단계",
    "ping latency, median": "핑 지연, 중앙값",
    "ping latency, standard deviation": "핑 지연, 표준편차",
    "first snapshot, slowest request": "첫 스냅샷, 가장 느린 요청",
    "codes without a snapshot": "스냅샷이 없는 마켓",
    "types without any message": "메시지가 없는 종류",
    "gaps with trades that are missing": "체결이 빠진 공백",
    "streams that ended for good": "완전히 끝난 스트림",
    "dropped events": "버린 이벤트",
    "undecodable frames": "해석할 수 없는 프레임",
    "reconnects of the given stream": "주어진 스트림의 재연결",
    "dropped events of the given stream": "주어진 스트림이 버린 이벤트",
    "undecodable frames of the given stream": "주어진 스트림의 해석 불가 프레임",
    # Events.
    "all fields": "모든 필드",
    "size": "수량",
    "bid": "매수",
    "ask": "매도",
    # The live widget.
    "code": "마켓",
    "price": "가격",
    "change": "등락",
    "last minute": "최근 1분",
    "age": "경과",
    "stop": "정지",
    "stopped": "정지됨",
    "turnover (24 h)": "거래대금 (24시간)",
    "messages/s": "건/초",
    "no event yet": "아직 이벤트 없음",
}
