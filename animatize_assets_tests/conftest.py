"""What every test shares: its sizes, and a guard that no test touches real data."""

from __future__ import annotations

import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = [
    "animatize_assets_tests.postgres",
    "animatize_assets_tests.production",
    "animatize_assets_tests.quick_homes",
    "animatize_assets_tests.quick_revisions",
    "animatize_assets_tests.quick_upgrades",
]

HERE = Path(__file__).parent
SIZES_FILE = HERE / "sizes.toml"

SLOWEST_FIRST = (
    "integration", "deploy", "orchestration", "cli", "defs", "web", "pregeneration", "performance",
    "workplace", "generation", "telemetry",
)  # fmt: skip
"""Rooms whose files may take a minute for a few tests. They are begun first, so that with several
workers none of them is left to one alone at the end; the other rooms follow."""


def pytest_configure() -> None:
    """Hear SIGINT, also when a shell started the tests in its background.

    Dagster has SIGTERM do what SIGINT does. Were that nothing, what it starts to copy a step's
    output could not be ended, and each run would wait 30 s for it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run at the issues' full figures")
    parser.addoption(
        "--photos",
        type=Path,
        default=None,
        help="folder of labelled photographs (labels.csv) for the tests on real pictures",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    place = {HERE / room: number for number, room in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: min(place.get(each, len(place)) for each in item.path.parents))
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="full size only: make test-full")
    for item in items:
        if "full" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def sizes(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The sizes of this run: ``sizes["bad_input"]["cases"]``."""
    table = tomllib.loads(SIZES_FILE.read_text())
    return table["full" if pytestconfig.getoption("--full") else "quick"]


@pytest.fixture(scope="session")
def photos(pytestconfig: pytest.Config) -> Path:
    """The folder of labelled photographs; skips when ``--photos`` names none."""
    folder = pytestconfig.getoption("--photos")
    if folder is None:
        pytest.skip("needs --photos DIR (labelled photographs that are not part of the project)")
    return Path(folder)


KEYS_OF_OTHERS = ("OPENAI_API_KEY", "BFL_API_KEY", "GEMINI_API_KEY")
"""A developer's own keys: no test may spend money."""


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ANIMATIZE_", "DAGSTER_", "OTEL_")) or name in KEYS_OF_OTHERS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANIMATIZE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
