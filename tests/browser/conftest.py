"""A real browser for the tests beside this file; it reaches this machine only."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, sync_playwright

from tests.browser.lab import Server

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a graphics card
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[Page]:
    with opened_page(server, tmp_path / "profile") as page:
        yield page


@contextmanager
def opened_page(server: Server, profile: Path) -> Iterator[Page]:
    """A page in Debian's Chromium; what it asks for is noted with the server."""
    if BROWSER is None:
        pytest.skip("no Chromium here: apt install chromium")

    def noted(request: Request) -> None:
        server.asked.append(request.url)

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=BROWSER,
            headless=True,
            args=FLAGS,
            viewport={"width": 1300, "height": 1400},
        )
        context.set_default_timeout(60_000)
        context.on("request", noted)
        try:
            yield context.pages[0]
        finally:
            context.close()
