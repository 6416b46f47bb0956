"""The documentation builds without a warning, every link in it holds, and nothing in it is fetched
from elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import upbit_stream
from tests.docs.pages import ROOT, twins

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("site")]

# What a browser fetches by itself: the attribute of each element.
_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        named = {name: value for name, value in attrs if value is not None}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        # rel="canonical" and the like name a page, and fetch nothing.
        if tag in _FETCHED and named.get("rel") in (None, "stylesheet", "icon"):
            target = named.get(_FETCHED[tag])
            if target is not None:
                self.fetched.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``mkdocs build --strict`` makes it."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)],
        cwd=ROOT,
        # The theme's makers speak of their other work.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return directory


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Its pages by their path in it."""
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def broken_links(site: Path, pages: dict[str, Page]) -> list[str]:
    """Those whose page, file or anchor is not there."""
    broken = []
    for name, page in pages.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or name == "404.html":
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            target = target.resolve()
            if not target.is_file():
                broken.append(f"{name}: no page {link}")
            elif parts.fragment and target.suffix == ".html":
                anchors = pages[target.relative_to(site.resolve()).as_posix()].anchors
                if unquote(parts.fragment) not in anchors:
                    broken.append(f"{name}: no anchor {link}")
    return broken


def test_every_link_inside_holds(site: Path, pages: dict[str, Page]) -> None:
    assert broken_links(site, pages) == []


def test_a_link_that_does_not_hold_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text('<a href="two.html#a">x</a><a href="no.html">x</a>', "utf-8")
    (tmp_path / "two.html").write_text('<p id="b"><a href="#b">x</a><img src="no.png">', "utf-8")
    two = {name: Page(tmp_path / name) for name in ("one.html", "two.html")}
    assert broken_links(tmp_path, two) == [
        "one.html: no anchor two.html#a",
        "one.html: no page no.html",
        "two.html: no page no.png",
    ]


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_every_link_of_the_readme_holds(readme: str, pages: dict[str, Page]) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / readme).read_text("utf-8"))
    assert len(links) > 15
    for link in links:
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists(), link
        if anchor:
            english = path.removeprefix("docs/").replace(".ko.md", ".md").replace(".md", ".html")
            name = f"ko/{english}" if ".ko." in path else english
            assert anchor in pages[name].anchors, link


@pytest.mark.parametrize("korean", [page for _, page in twins()])
def test_a_korean_page_leads_to_korean_pages(korean: str) -> None:
    """Where the sources are read, too: the site itself would find them either way."""
    text = (ROOT / korean).read_text("utf-8").replace("([English](README.md))", "")
    for path in re.findall(r"\]\(([^)#:]+)\.md(?:#[^)]*)?\)", text):
        if not path.endswith(".ko"):
            assert not ((ROOT / korean).parent / f"{path}.ko.md").exists(), path


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    assert [url for page in pages.values() for url in page.fetched if urlsplit(url).netloc] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(.?https?:", sheet.read_text("utf-8")), sheet


def test_every_public_name_is_in_the_reference(pages: dict[str, Page]) -> None:
    anchors = set().union(
        *(page.anchors for name, page in pages.items() if name.startswith("reference/"))
    )
    names = {f"upbit_stream.{name}" for name in upbit_stream.__all__ if name != "__version__"}
    assert names - anchors == set()


def test_both_languages_have_every_page_of_the_guide() -> None:
    for english in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md")]:
        if ".ko." in english.name or english.stem in ("architecture", "performance", "scale"):
            continue
        assert english.with_suffix(".ko.md").exists(), english.name


def test_no_docstring_shows_its_source(site: Path) -> None:
    """Roles and ``::`` of the docstrings have become links and blocks."""
    for path in (site / "reference").glob("*.html"):
        text = re.sub(r"<[^>]*>", "", path.read_text("utf-8"))
        assert not re.search(r":(class|meth|func|mod|attr):|[^:]::\s*$", text, re.M), path.name
