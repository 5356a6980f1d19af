"""What holds for every test: no deadlines, since machines are noisy; one thread each where tests run side by side.

And one browser for all tests of pages that a process runs.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("noisy machine", deadline=None)
settings.load_profile("noisy machine")

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch read it, so that processes do not fight for cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, where it and playwright are there."""
    from visits import CHROMIUM, QUIET

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield chromium
        chromium.close()
