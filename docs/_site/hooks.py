"""What mkdocs runs beside its plugins."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs_autorefs import AutorefsPlugin

__all__ = ["on_pre_build"]


def on_pre_build(config: MkDocsConfig) -> None:
    """Each language is a build of its own: links lead to its own pages."""
    autorefs = config.plugins["autorefs"]
    assert isinstance(autorefs, AutorefsPlugin)
    for pages in (autorefs._primary_url_map, autorefs._secondary_url_map):
        pages.clear()
