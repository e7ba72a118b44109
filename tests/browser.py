"""Open a local HTML page in Chromium with the network cut off, and see what it asked for.

The browser is the system's (on Debian ``.ci/install-packages`` fetches it); Playwright only drives it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

skip_without_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on PATH; .ci/install-packages installs it"
)
#: For the ``pytestmark`` of a class or module.
needs_browser = [pytest.mark.browser, skip_without_chromium]

LOCAL = ("file:", "data:", "blob:", "about:")


@dataclass
class Opened:
    """A page, the addresses outside itself that it asked for, and what the browser complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visit(path: Path, **context_options: Any) -> Iterator[Opened]:
    """Open the page in a new browser; ``requests`` and ``complaints`` are filled as long as it is open.

    Args:
        path: of the page.
        context_options: Playwright's, as ``viewport``, ``color_scheme`` and ``java_script_enabled``.
    """
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM) as browser,
        browser.new_context(offline=True, reduced_motion="reduce", **context_options) as context,
    ):
        seen = Opened(context.new_page())

        def note(request: Request) -> None:
            if not request.url.startswith(LOCAL):
                seen.requests.append(request.url)

        def stop(route: Route) -> None:
            if route.request.url.startswith(LOCAL):
                route.continue_()
            else:
                route.abort()

        context.on("request", note)
        context.route("**/*", stop)
        seen.page.on(
            "console",
            lambda message: seen.complaints.append(message.text) if message.type == "error" else None,
        )
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.goto(path.resolve().as_uri(), wait_until="load")
        yield seen
