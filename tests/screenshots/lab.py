"""A JupyterLab with a browser: runs a notebook as a person would see it, and photographs cells.

::

    with Laboratory(folder) as lab:
        shown = lab.run(["1 + 1"], {"LANG": "ko_KR.UTF-8"}, theme=DARK)
        shown.photograph(0, Path("docs/images/two.png"))

``folder`` is for its files, and for all that Jupyter keeps; nothing of the person's own is used.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page, Playwright, sync_playwright

from tests.conftest import eventually

__all__ = ["DARK", "IMAGES", "LIGHT", "Laboratory", "Shown"]

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

#: Where the pictures of the documentation are.
IMAGES = Path(__file__).parents[2] / "docs" / "images"

_CHROMIUM = "/usr/bin/chromium"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# What JupyterLab would otherwise do: look for news on the network, draw only the cells in view.
_SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}

# Milliseconds that a page may take for something.
_PATIENCE = 60_000

_OPEN = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const deadline = Date.now() + 30000;
    while (!app.shell.currentWidget?.sessionContext && Date.now() < deadline)
        await new Promise(done => setTimeout(done, 50));
    const context = app.shell.currentWidget.sessionContext;
    await context.ready;
    await context.session.kernel.info;
}"""
_RUN = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_BEGIN = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_THEME = """async theme => {
    await window.jupyterapp.commands.execute('apputils:change-theme', {theme});
}"""
_SHUT = "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"


class Shown:
    """A notebook in the browser."""

    def __init__(self, page: Page) -> None:
        #: For what is clicked and waited for beyond this.
        self.page = page

    def run(self) -> None:
        """Run all cells, and wait until they have run."""
        self.page.evaluate(_RUN)

    def begin(self) -> None:
        """Run all cells, and wait for nothing."""
        self.page.evaluate(_BEGIN)

    def output(self, cell: int) -> Locator:
        """Where the output of that cell is, counted from 0."""
        # The first one only sets the environment.
        return (
            self.page.locator(".jp-Notebook .jp-CodeCell")
            .nth(cell + 1)
            .locator(".jp-Cell-outputArea .jp-OutputArea-output")
        )

    def photograph(self, cell: int, path: Path, *, number: int = 0) -> None:
        """Write a picture of an output of that cell; ``number`` says which, if it has several."""
        path.parent.mkdir(parents=True, exist_ok=True)
        output = self.output(cell).nth(number)
        output.wait_for(state="visible", timeout=_PATIENCE)
        self.page.evaluate("() => document.fonts.ready.then(() => true)")
        output.screenshot(path=path, timeout=_PATIENCE)

    def close(self) -> None:
        """End the kernel, and close the page."""
        self.page.evaluate(_SHUT)
        self.page.close()


class Laboratory:
    """The server and the browser. Both end with the ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._count = 0

    def __enter__(self) -> Laboratory:
        settings = self._folder / "settings"
        for name, values in _SETTINGS.items():
            path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        own = {
            name: str(self._folder / name.lower())
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        }
        own |= {
            "HOME": str(self._folder),
            "IPYTHONDIR": str(self._folder / "ipython"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._folder / "workspaces"),
        }
        with (self._folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.port={self._port}",
                    "--ServerApp.port_retries=0",
                    f"--ServerApp.root_dir={self._folder}",
                    f"--IdentityProvider.token={self._token}",
                    "--LabApp.expose_app_in_browser=True",
                ],
                env={**os.environ, **own},
                stdout=log,
                stderr=log,
            )
        eventually(self._answers, 60.0)
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=_CHROMIUM, args=[*_FLAGS, "--force-color-profile=srgb"]
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        if self._server is not None:
            self._server.terminate()
            self._server.wait(20)

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._folder / "server.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def run(
        self,
        cells: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        theme: str = LIGHT,
        width: int = 900,
    ) -> Shown:
        """Open a notebook with these cells, run all of them, and wait until they have run. The
        arguments are those of :meth:`open`.
        """
        shown = self.open(cells, environ, theme=theme, width=width)
        shown.run()
        return shown

    def open(
        self,
        cells: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        theme: str = LIGHT,
        width: int = 900,
    ) -> Shown:
        """Open a notebook with these cells, of which none has run.

        ``environ`` is what the kernel's environment gets in addition; ``width`` is the page's, in
        CSS pixels. Close what is returned, or its kernel runs until the server ends.
        """
        assert self._browser is not None
        self._count += 1
        name = f"notebook-{self._count}.ipynb"
        first = f"import os; os.environ.update({dict(environ or {})!r})"
        notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
            cells=[nbformat.v4.new_code_cell(one) for one in (first, *cells)],  # type: ignore[no-untyped-call]
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self._folder / name)  # type: ignore[no-untyped-call]
        page = self._browser.new_page(
            viewport={"width": width, "height": 1400}, device_scale_factor=2
        )
        page.set_default_timeout(_PATIENCE)
        page.goto(f"http://127.0.0.1:{self._port}/doc/tree/{name}?token={self._token}")
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate(_OPEN)
        page.evaluate(_THEME, theme)
        return Shown(page)
