"""Which language the locale asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal

__all__ = ["Language", "chosen_language", "language_of"]

Language = Literal["en", "ko"]

# The first that is set counts, as everywhere.
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

# Korean among the languages of Windows: the low ten bits of its identifier.
_WINDOWS_KOREAN = 0x12


def chosen_language() -> Language:
    """That of the environment, if standard output can write it."""
    wanted = language_of(os.environ) or _language_of_windows()
    if wanted == "ko" and _writes_hangul():
        return "ko"
    return "en"


def language_of(environ: Mapping[str, str]) -> Language | None:
    """What the variables ask for; None when they are silent."""
    named = next((environ[name] for name in _VARIABLES if environ.get(name)), None)
    if named is None:
        return None
    return "ko" if named.lower().partition("_")[0].partition(".")[0] == "ko" else "en"


def _language_of_windows() -> Language | None:
    if sys.platform != "win32":
        return None
    import ctypes

    return (
        "ko"
        if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == _WINDOWS_KOREAN
        else "en"
    )


def _writes_hangul() -> bool:
    try:
        "한글".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
