"""Everything the command line says, in English and in Korean.

=================  ====================================================================
``english.py``     the texts by their keys
``korean.py``      the same keys, tested to be complete and to name the same fields
``language.py``    which of the two the locale asks for
=================  ====================================================================

Sentences of the library itself (exceptions, warnings) are English everywhere: they are what people
search for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from upbit_stream.cli.texts import english, korean
from upbit_stream.cli.texts.language import Language, chosen_language

__all__ = ["CATALOGUES", "language", "speaking", "text"]

#: Language → key → text.
CATALOGUES: Mapping[Language, Mapping[str, str]] = {"en": english.TEXTS, "ko": korean.TEXTS}

# One for the process. typer takes the help texts when the commands are imported, so it is chosen
# before that; only tests change it.
_language: Language = chosen_language()


def language() -> Language:
    """The language that is spoken."""
    return _language


def text(key: str, **fields: object) -> str:
    """The text of ``key``, with the fields in their places."""
    words = CATALOGUES[_language][key]
    return words.format(**fields) if fields else words


@contextmanager
def speaking(other: Language) -> Iterator[None]:
    """Speak another language for a while."""
    global _language
    before, _language = _language, other
    try:
        yield
    finally:
        _language = before
