"""The markets that exist: well-known ones, and as many invented ones as are wanted."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from upbit_stream.simulator.digits import SCALE, tick_above, to_units

__all__ = ["ALL_CODES", "DEFAULT_CODES", "Listing", "all_codes", "describe"]

#: How many markets Upbit lists.
ALL_CODES = 855


class _Coin(NamedTuple):
    korean: str
    english: str
    krw: str


# The price in KRW is where the walk starts. Just above a power of ten a step is a hundredth of the
# price, which would be a wild market.
_COINS = {
    "BTC": _Coin("비트코인", "Bitcoin", "116538000"),
    "ETH": _Coin("이더리움", "Ethereum", "3427000"),
    "XRP": _Coin("리플", "XRP", "3123"),
    "SOL": _Coin("솔라나", "Solana", "214500"),
    "DOGE": _Coin("도지코인", "Dogecoin", "231"),
    "ADA": _Coin("에이다", "Cardano", "842"),
    "AVAX": _Coin("아발란체", "Avalanche", "31250"),
    "LINK": _Coin("체인링크", "Chainlink", "23150"),
    "DOT": _Coin("폴카닷", "Polkadot", "4120"),
    "TRX": _Coin("트론", "TRON", "471"),
    "XLM": _Coin("스텔라루멘", "Stellar", "402"),
    "BCH": _Coin("비트코인캐시", "Bitcoin Cash", "781500"),
    "ETC": _Coin("이더리움클래식", "Ethereum Classic", "24310"),
    "SUI": _Coin("수이", "Sui", "3450"),
    "APT": _Coin("앱토스", "Aptos", "4805"),
    "NEAR": _Coin("니어프로토콜", "NEAR Protocol", "2730"),
    "HBAR": _Coin("헤데라", "Hedera", "243"),
    "SAND": _Coin("샌드박스", "The Sandbox", "89.4"),
    "SHIB": _Coin("시바이누", "Shiba Inu", "0.00934"),
    "PEPE": _Coin("페페", "PEPE", "0.00871"),
    "USDT": _Coin("테더", "Tether", "1391"),
    "ARB": _Coin("아비트럼", "Arbitrum", "203"),
}
_KRW_PER_BTC = to_units(_COINS["BTC"].krw)
_KRW_PER_USDT = to_units(_COINS["USDT"].krw)

#: Twenty well-known markets.
DEFAULT_CODES = tuple(f"KRW-{name}" for name in list(_COINS)[:20])

_SYLLABLES = ("AL", "BE", "CO", "DEN", "FI", "GO", "HEX", "IN", "KA", "LU", "MO", "NU", "ORB", "PA",
              "RO", "SY", "TA", "UN", "VE", "WAX", "XE", "YA", "ZI")  # fmt: skip
_HANGUL = ("알", "베", "코", "덴", "피", "고", "헥스", "인", "카", "루", "모", "누", "오브", "파",
           "로", "시", "타", "언", "베", "왁스", "제", "야", "지")  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """One market: what it is called, where its price starts, how busy it is."""

    code: str
    #: Its place among the markets, the busiest first.
    place: int
    korean_name: str
    english_name: str
    #: In units of the quote currency.
    start_price: int
    #: How often it is traded, compared with the others.
    weight: float
    #: Orders on each side of the book; below 30 the rest of a frame is padded with zeros.
    depth: int

    @property
    def quote(self) -> str:
        """The currency in which prices are stated."""
        return self.code.partition("-")[0]


def all_codes(count: int = ALL_CODES) -> tuple[str, ...]:
    """``count`` codes: the well-known ones, then invented ones, in KRW, BTC and USDT."""
    names = [*_COINS, *(_invented(number) for number in range(count))]
    # As on the exchange roughly every third market is one in KRW, and USDT has the fewest.
    codes = list(DEFAULT_CODES)
    known = set(codes)
    for place, name in enumerate(names):
        for quote in ("KRW", "BTC") if place % 2 else ("KRW", "BTC", "USDT"):
            code = f"{quote}-{name}"
            # Bitcoin is quoted in USDT, never the other way round.
            if name != quote and code not in known and code != "BTC-USDT":
                known.add(code)
                codes.append(code)
        if len(codes) >= count:
            break
    return tuple(codes[:count])


def describe(codes: Iterable[str]) -> tuple[Listing, ...]:
    """What is known, or invented, about each code; the first codes are the busiest."""
    return tuple(_describe(code, place) for place, code in enumerate(dict.fromkeys(codes)))


def _describe(code: str, place: int) -> Listing:
    quote, _, base = code.partition("-")
    if not base:
        raise ValueError(f"{code!r} is not a market code such as 'KRW-BTC'")
    chance = random.Random(code)
    coin = _COINS.get(base)
    if coin is None:
        price = int(10 ** chance.uniform(-2, 5) * SCALE)
        coin = _Coin(_hangul(base), base.capitalize(), str(price / SCALE))
    krw = to_units(f"{float(coin.krw):.8f}")
    price = {"BTC": krw * SCALE // _KRW_PER_BTC, "USDT": krw * SCALE // _KRW_PER_USDT}.get(
        quote, krw
    )
    price = max(price, 100)
    price -= price % tick_above(quote, price)
    # Every seventh market, but none of the famous ones, has a thin book.
    thin = place >= 5 and place % 7 == 5
    return Listing(
        code=code,
        place=place,
        korean_name=coin.korean,
        english_name=coin.english,
        start_price=price,
        weight=1.0 / (1.0 + place * 0.15),
        depth=chance.randint(3, 20) if thin else 30,
    )


def _invented(number: int) -> str:
    first, second = divmod(number, len(_SYLLABLES))
    head = _SYLLABLES[(first + second) % len(_SYLLABLES)]
    tail = "" if first < len(_SYLLABLES) else str(first)
    return f"{head}{_SYLLABLES[second]}{_SYLLABLES[first % len(_SYLLABLES)][0]}{tail}"


def _hangul(base: str) -> str:
    return "".join(_HANGUL[ord(letter) % len(_HANGUL)] for letter in base[:4])
