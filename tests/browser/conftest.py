from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from app.core.console import FOLDER
from tests.browser.chromium import VARIABLE, NoBrowserError, executable, running_browser
from tests.browser.screen import Screen, screen_on
from tests.browser.ward import Ward, furnish_into, ward_on
from tests.ward import host_of, monitors_of

Screens = Callable[..., Screen]


def is_missing(what: str) -> None:
    """Skip, and where a browser was named, and so these tests are wanted, fail."""
    if VARIABLE in os.environ:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def console() -> None:
    """There is a console to look at, and a browser to do it with."""
    if not (FOLDER / "index.html").is_file():
        is_missing("the console is not built: make web")
    try:
        executable()
    except NoBrowserError as error:
        is_missing(str(error))


# As long as a module: Playwright runs a loop in the thread of the tests, which those that are coroutines cannot have.
@pytest.fixture(scope="module")
def browser(console: None) -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="session")
def furnished(console: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("furnished") / "data"
    furnish_into(folder)
    return folder


@pytest.fixture(scope="session")
def quiet_ward(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with ward_on(furnished, tmp_path_factory.mktemp("quiet") / "data") as ward:
        yield ward


@pytest.fixture
def ward(browser: Browser, quiet_ward: Ward) -> Iterator[Ward]:
    """A ward in which nothing happens but what the test does."""
    yield quiet_ward
    quiet_ward.resolve_all()


@pytest.fixture
def mortal_ward(browser: Browser, furnished: Path, tmp_path: Path) -> Iterator[Ward]:
    """A ward of the test's own, to be killed and started again."""
    with ward_on(furnished, tmp_path / "data") as ward:
        yield ward


@pytest.fixture(scope="module")
def busy_ward(browser: Browser, furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A ward whose monitors send; in bed 3 somebody gets worse."""
    with ward_on(furnished, tmp_path_factory.mktemp("busy") / "data") as ward, monitors_of(host_of(ward.server)):
        yield ward


@pytest.fixture
def screens(browser: Browser) -> Iterator[Screens]:
    """Opens windows that close with the test, and that had nothing to complain of."""
    with ExitStack() as stack:

        def open_screen(ward: Ward, **options: Any) -> Screen:
            return stack.enter_context(screen_on(browser, ward.url, **options))

        yield open_screen
