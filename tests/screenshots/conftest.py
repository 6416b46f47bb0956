"""What the tests with a browser share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason='needs the extra: pip install -e ".[screenshots]"')
pytest.importorskip("jupyterlab", reason='needs the extra: pip install -e ".[screenshots]"')

from tests.screenshots.lab import Laboratory


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """One JupyterLab and one browser for all of them."""
    with Laboratory(tmp_path_factory.mktemp("lab")) as laboratory:
        yield laboratory
