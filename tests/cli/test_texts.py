"""Two languages: both complete, and the one that the locale asks for."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import upbit_stream.cli
from tests.cli.conftest import Call
from tests.cli.program import COMMAND, environment
from tests.conftest import PATIENCE
from upbit_stream.cli import cells
from upbit_stream.cli.texts import CATALOGUES, speaking, text
from upbit_stream.cli.texts.language import language_of

ENGLISH, KOREAN = CATALOGUES["en"], CATALOGUES["ko"]
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(upbit_stream.cli.__file__).parent.rglob("*.py")
    if path.parent.name != "texts"
)
# Keys that are put together while the program runs.
FAMILIES = (
    "advice", "check", "column", "diagnose", "doctor", "report", "side", "state", "view",
    "help", "option", "codes", "files", "relay",
)  # fmt: skip


def fields(words: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


def test_both_languages_have_every_text_with_the_same_fields() -> None:
    assert set(ENGLISH) == set(KOREAN)
    for key, words in ENGLISH.items():
        assert fields(words) == fields(KOREAN[key]), key
        assert words.strip(), key
        assert KOREAN[key].strip(), key


def test_every_text_that_is_asked_for_is_there_and_no_other() -> None:
    asked = set(re.findall(r"""text\(\s*["']([^"']+)["']""", SOURCES))
    asked |= {key for pair in re.findall(r'text\(\s*"([^"]+)" if .*? else "([^"]+)"', SOURCES)
              for key in pair}  # fmt: skip
    assert asked <= set(ENGLISH)
    mentioned = set(re.findall(r"""["']([a-z_]+\.[a-zA-Z_ ]+)["']""", SOURCES))
    commands = {"app", "watch", "record", "replay", "markets", "diagnose", "doctor", "simulate",
                "publish", "relay-status"}  # fmt: skip
    unused = {
        key
        for key in ENGLISH
        if key not in mentioned
        and key.partition(".")[0] not in FAMILIES
        and not (key.partition(".")[0] in commands and key.endswith((".help", ".short")))
    }
    assert unused == set()


def test_what_is_korean_is_not_english() -> None:
    hangul = re.compile("[가-힣]")
    same = {key for key in ENGLISH if not hangul.search(KOREAN[key])}
    # Names that are the same everywhere, and what has no words.
    assert all(
        re.fullmatch(r"(check|report)\.(DNS|TCP|TLS|rest)|option\.type|advice\.package"
                     r"|doctor\.proxy|usage\.bad_value", key)
        for key in same
    ), same  # fmt: skip


@pytest.mark.parametrize("catalogue", [ENGLISH, KOREAN])
def test_help_fits_into_eighty_columns(catalogue: Mapping[str, str]) -> None:
    for key, words in catalogue.items():
        if key.endswith((".help", ".welcome")):
            examples = [line for line in words.split("\n") if line.startswith("  ")]
            # A URL takes the place of its field.
            assert all(cells.width(line) <= 80 or "{" in line for line in examples), key
    for line in help_of("watch", "ko").split("\n"):
        assert cells.width(line) <= 80


def help_of(command: str, language: str) -> str:
    """The help in a process with that locale."""
    done = subprocess.run(
        (*COMMAND, command, "--help"),
        env=environment(LC_ALL="", LANG=f"{language}_XX.UTF-8", COLUMNS="80"),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.decode()


def test_the_help_is_in_the_language_of_the_locale() -> None:
    told = help_of("record", "ko")
    assert told.startswith("사용법: upbit-stream record [OPTIONS]")
    assert "\n옵션:\n" in told
    assert "[필수]" in told
    assert help_of("record", "en").startswith("Usage: upbit-stream record [OPTIONS]")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_help_tells_of_the_command_alone(language: str) -> None:
    told = {
        command: " ".join(help_of(command, language).split())
        for command in ("watch", "record", "replay", "diagnose")
    }
    words = CATALOGUES["en" if language == "en" else "ko"]
    by_command = {
        "watch": "option.codes",
        "record": "option.codes",
        "replay": "option.codes_recorded",
        "diagnose": "option.codes_diagnosed",
    }
    for command, key in by_command.items():
        assert words[key] in told[command]
    assert words["option.types"] in told["record"]
    assert words["option.types_recorded"] in told["replay"]


@pytest.mark.parametrize("catalogue", [ENGLISH, KOREAN])
def test_the_examples_need_no_other_extra(catalogue: Mapping[str, str]) -> None:
    for key, words in catalogue.items():
        if key.endswith(".help"):
            assert not re.search(r"\.(zst|parquet)", words), key


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, None),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko"}, "ko"),
        ({"LANG": "kok_IN.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "", "LC_ALL": ""}, "ko"),
        ({"LC_CTYPE": "ko_KR.UTF-8"}, None),
    ],
)
def test_which_variable_decides(variables: dict[str, str], language: str | None) -> None:
    assert language_of(variables) == language


def test_an_output_that_cannot_write_hangul_gets_english() -> None:
    done = subprocess.run(
        (*COMMAND, "watch", "--help"),
        env=environment(LC_ALL="ko_KR.UTF-8", PYTHONIOENCODING="latin-1"),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.startswith(b"Usage: upbit-stream")
    # Dots that it does not have either.
    assert b"candle.1s ? candle.240m" in done.stdout


def test_messages_in_korean(call: Call) -> None:
    with speaking("ko"):
        assert text("status.dropped", count="3") == "버림 3"
        _, _, told = call("watch")
        assert told.startswith('upbit-stream: "upbit-stream watch KRW-BTC KRW-ETH"처럼 마켓을')
        _, _, told = call("watch", "KRW-BTC", "-t", "tickers")
        assert "혹시 'ticker'인가요?" in told
        _, _, told = call("watch", "--sconds", "1")
        assert "--sconds 옵션은 없습니다; 혹시 '--seconds'인가요?" in told
        _, _, told = call("wach")
        assert "'wach' 명령은 없습니다; 혹시 'watch'인가요?" in told
        _, _, told = call("record")
        assert "--out이(가) 빠졌습니다" in told


def test_a_report_in_korean_has_no_english_names(call: Call) -> None:
    with speaking("ko"):
        exit_code, out, _ = call("diagnose", "--demo", "--seconds", "1.2")
    assert exit_code == 0
    assert "정상, 기준 11개 중 11개 충족" in out
    words = set(re.findall(r"[A-Za-z][A-Za-z]+", out))
    assert words <= {"ws", "websocket", "ms", "kB", "MB", "DNS", "TCP", "TLS", "ticker", "trade",
                     "orderbook"}  # fmt: skip


def test_a_failing_stage_in_korean_says_what_to_do(call: Call) -> None:
    with speaking("ko"):
        exit_code, out, _ = call("diagnose", "--url", "ws://127.0.0.1:1/websocket/v1")
    assert exit_code == 1
    # The library's own sentence, and ours.
    assert "뒤 실패: 127.0.0.1:1: the connection was refused" in out
    assert KOREAN["advice.TCP"] in out


# Cells.


@pytest.mark.parametrize(
    ("words", "size", "wrapped"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("하나 둘 셋", 7, ["하나 둘", "셋"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("가나다라마", 5, ["가나", "다라", "마"]),
        ("", 5, []),
    ],
)
def test_wrapping_counts_cells(words: str, size: int, wrapped: list[str]) -> None:
    assert cells.wrap(words, size) == wrapped
    assert all(cells.width(line) <= size for line in wrapped)


def test_wrapping_into_few_lines_ends_with_dots() -> None:
    (line,) = cells.wrap("하나 둘 셋 넷", 10, lines=1)
    assert line.endswith(" ...")
    assert cells.width(line) <= 10


def test_padding_counts_cells() -> None:
    assert cells.left("호가", 6) == "호가  "
    assert cells.right("호가", 6) == "  호가"
    assert cells.right("호가", 2) == "호가"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locale variables")
def test_python_m_is_the_same_command() -> None:
    script = str(Path(sys.executable).with_name("upbit-stream"))
    for arguments in (("--version",), ("watch",)):
        ended = [
            subprocess.run((*command, *arguments), env=environment(), capture_output=True,
                           timeout=PATIENCE, check=False)
            for command in ((script,), COMMAND)
        ]  # fmt: skip
        assert ended[0].stdout == ended[1].stdout
        assert ended[0].stderr == ended[1].stderr
        assert ended[0].returncode == ended[1].returncode
