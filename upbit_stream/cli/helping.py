"""``--help``, in the language of the locale, with Hangul in its right width.

typer's own formatter counts letters where a terminal counts cells, and knows no examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from upbit_stream.cli import cells
from upbit_stream.cli.style import TITLE, console_of, palette_for
from upbit_stream.cli.texts import text

__all__ = ["Command", "Group"]

# Wider lines are hard to read.
_WIDEST = 100
# Columns of names; what is longer has its words on the next line.
_NAMES = 28
_INDENT = "  "
# Options that are not ours: their names → our words for them.
_OF_TYPER = {
    "help": "option.help",
    "install_completion": "option.install_completion",
    "show_completion": "option.show_completion",
}


class Command(TyperCommand):
    """A command whose help is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write it."""
        formatter.write(_help(self, ctx))


class Group(TyperGroup):
    """The group of all commands, likewise."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write it."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.short_help or "") for name, command in commands if command]
        formatter.write(_help(self, ctx, rows))

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)


def _help(command: Any, ctx: Any, commands: Sequence[tuple[str, str]] = ()) -> str:
    console = console_of()
    palette = palette_for(console.color_system)
    width = min(_WIDEST, console.width)
    lines = [_usage(command, ctx), Text("")]
    for paragraph in (command.help or "").split("\n\n"):
        lines += [*_paragraph(paragraph, width, palette.accent), Text("")]
    params = command.get_params(ctx)
    arguments = [(one.metavar or one.name, _words(one)) for one in params if one.opts[0][0] != "-"]
    options = [(_names(one), _words(one)) for one in params if one.opts[0][0] == "-"]
    for title, rows in (("help.commands", commands), ("help.arguments", arguments),
                        ("help.options", options)):  # fmt: skip
        if rows:
            lines += [Text(text(title), style=TITLE), *_rows(rows, width, palette.accent), Text("")]
    with console.capture() as capture:
        console.print(Text("\n", no_wrap=True).join(lines[:-1]), crop=False)
    return capture.get()


def _usage(command: Any, ctx: Any) -> Text:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    return Text.assemble((text("help.usage"), TITLE), f" {ctx.command_path} {pieces}")


def _paragraph(paragraph: str, width: int, accent: str) -> list[Text]:
    """Wrapped; indented lines, which are examples, stay as they are."""
    lines = paragraph.strip("\n").split("\n")
    if not any(line.startswith(" ") for line in lines):
        return [Text(line) for line in cells.wrap(" ".join(lines), width)]
    drawn = []
    for line in lines:
        if not line.startswith(" "):
            drawn.append(Text(line, style=TITLE))
            continue
        example, gap, words = line.strip().partition("   ")
        drawn.append(Text.assemble(_INDENT, (example, accent), gap, words))
    return drawn


def _rows(rows: Sequence[tuple[str, str]], width: int, accent: str) -> list[Text]:
    size = min(_NAMES, max(cells.width(name) for name, _ in rows))
    room = max(20, width - len(_INDENT) * 2 - size)
    lines = []
    for name, words in rows:
        wrapped = cells.wrap(words, room) or [""]
        head = Text.assemble(_INDENT, (cells.left(name, size), accent))
        if cells.width(name) > size:
            lines.append(head)
            head = Text(_INDENT + " " * size)
        lines.append(head.append(_INDENT + wrapped[0]))
        lines += [Text(_INDENT * 2 + " " * size + line) for line in wrapped[1:]]
    for line in lines:
        line.rstrip()
    return lines


def _names(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _words(parameter: Any) -> str:
    key = _OF_TYPER.get(parameter.name)
    words = text(key) if key else getattr(parameter, "help", None) or ""
    if parameter.required:
        return f"{words}  [{text('help.required')}]"
    default = parameter.default
    shown = isinstance(default, (int, float, str)) and not isinstance(default, bool)
    if shown and parameter.show_default and default != "":
        return f"{words}  [{text('help.default', value=default)}]"
    return words
