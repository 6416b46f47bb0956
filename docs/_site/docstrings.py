"""The project's docstrings as Markdown, for mkdocstrings: roles become links, ``::`` blocks fences,
and the ``#:`` comment above a field its text.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Docstrings"]

_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data):`(~?)([\w.]+)`")
_PACKAGE = "upbit_stream"


class Docstrings(griffe.Extension):
    """Rewrites each docstring when it is found."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """A module, class, function or attribute was read."""
        if obj.is_attribute and obj.docstring is None:
            comment = _comment_above(obj)
            if comment:
                obj.docstring = griffe.Docstring(comment, parent=obj)
        for annotation in (getattr(obj, "annotation", None), getattr(obj, "returns", None)):
            if isinstance(annotation, griffe.Expr):
                _spell_plainly(annotation)
        if obj.docstring is not None:
            obj.docstring.value = _as_markdown(obj.docstring.value, obj)


def _spell_plainly(annotation: griffe.Expr) -> None:
    """What is imported under another name is shown under its own."""
    for part in annotation.iterate(flat=True):
        if isinstance(part, griffe.ExprName) and part.name == "_datetime":
            part.name = "datetime"


def _comment_above(field: griffe.Object) -> str:
    if field.lineno is None or not isinstance(field.parent, griffe.Class):
        return ""
    lines = field.lines_collection[field.filepath]  # type: ignore[index]
    comment: list[str] = []
    for line in reversed(lines[: field.lineno - 1]):
        if not line.lstrip().startswith("#"):
            break
        if line.lstrip().startswith("#:"):  # others are for who reads the source
            comment.insert(0, line.lstrip()[2:].strip())
    return "\n".join(comment)


def _as_markdown(text: str, obj: griffe.Object) -> str:
    return _blocks(_ROLE.sub(lambda role: _link(role, obj), text))


def _link(role: re.Match[str], obj: griffe.Object) -> str:
    short, path = role.groups()
    shown = path.rpartition(".")[2] if short else path
    if path.startswith(f"{_PACKAGE}."):
        return f"[`{shown}`][{path}]"
    if "." in path and not path.startswith("_"):  # of the standard library
        return f"`{path}`"
    around: griffe.Object | None = obj
    while around is not None:  # a neighbour: of the class, or of its module
        if path in around.members and not around.is_function:
            return f"[`{shown}`][{around.path}.{path}]"
        around = around.parent
    return f"`{shown}`"


def _blocks(text: str) -> str:
    lines: list[str] = []
    source = iter(text.splitlines())
    for line in source:
        if not line.rstrip().endswith("::"):
            lines.append(line)
            continue
        intro = line.rstrip()[:-2].rstrip()
        lines += [f"{intro}:", ""] if intro else [""]
        block: list[str] = []
        rest: list[str] = []
        for within in source:
            if within.strip() and not within.startswith("    "):
                rest = [within]
                break
            block.append(within[4:])
        lines += ["```python", *"\n".join(block).strip("\n").splitlines(), "```", "", *rest]
    return "\n".join(lines)
