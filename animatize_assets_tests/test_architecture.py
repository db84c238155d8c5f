"""The architecture page shows the contracts that are checked."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "docs" / "draw_architecture.py"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_architecture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(drawing: ModuleType) -> None:
    page = drawing.PAGE.read_text(encoding="utf-8")
    assert page == drawing.updated(page), "run: python docs/draw_architecture.py"


def test_every_module_and_every_contract_is_on_the_page(drawing: ModuleType) -> None:
    page = drawing.drawn()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in contracts["contracts"]:
        assert contract["type"] == "layers" or contract["name"] in page
    package = ROOT / "animatize_assets"
    names = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    missing = [name for name in names - {"__init__"} if f"`{name}`" not in page]
    assert not missing


def test_a_changed_contract_changes_the_page(
    drawing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawing.drawn()
    contracts = drawing._contracts()
    contracts[0]["layers"] = list(reversed(contracts[0]["layers"]))
    monkeypatch.setattr(drawing, "_contracts", lambda: contracts)
    assert drawing.drawn() != before


def test_a_page_without_markers_is_refused(drawing: ModuleType) -> None:
    with pytest.raises(SystemExit, match="markers"):
        drawing.updated("# nothing here")
