from __future__ import annotations

from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from animatize_assets.errors import InvalidSetting
from animatize_assets.settings import PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
FIELDS = Settings.model_fields


def documented() -> dict[str, list[str]]:
    """Rows of the page: variable to its other cells."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith(f"`{PREFIX}"):
            rows[cells[0].strip("`")] = cells[1:]
    return rows


def bounds(field: FieldInfo) -> list[str]:
    """Every bound of a field, as it is written on the page."""
    found = []
    for constraint in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(constraint, name, None)
            if value is not None:
                found.append(f"{value:g}")
    return found


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(documented()) == {f"{PREFIX}{name.upper()}" for name in FIELDS}


@pytest.mark.parametrize("name", FIELDS)
def test_the_documented_range_and_default_are_the_codes(name: str) -> None:
    allowed, default, meaning = documented()[f"{PREFIX}{name.upper()}"]
    field = FIELDS[name]
    assert default == ("unset" if field.default is None else f"`{field.default}`")
    assert set(bounds(field)) <= set(allowed.replace(",", "").split())
    assert len(meaning) > 20
    assert field.description


def test_defaults_are_used_when_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANIMATIZE_DATA_DIR")
    settings = Settings.read()
    assert settings.data_dir == Path("data").absolute()
    assert settings.max_upload_mb == 10
    assert settings.depth_model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_UPLOAD_MB", "1"),
        ("MAX_UPLOAD_MB", "100"),
        ("MAX_MEGAPIXELS", "0.1"),
        ("MAX_MEGAPIXELS", "500"),
        ("MIN_SIDE_PX", "1"),
        ("MIN_SIDE_PX", "4096"),
        ("CV_THREADS", "0"),
        ("CV_THREADS", "256"),
        ("DEPTH_MODEL", ""),
        ("DEPTH_MODEL", "/models/depth.onnx"),
    ],
)
def test_values_at_the_bounds_are_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    read = getattr(Settings.read(), name.lower())
    assert read == (Path(value) if value.startswith("/") else None if value == "" else float(value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_UPLOAD_MB", "0.9"),
        ("MAX_UPLOAD_MB", "100.1"),
        ("MAX_UPLOAD_MB", "much"),
        ("MAX_UPLOAD_MB", "nan"),
        ("MAX_MEGAPIXELS", "0"),
        ("MAX_MEGAPIXELS", "501"),
        ("MIN_SIDE_PX", "0"),
        ("MIN_SIDE_PX", "4097"),
        ("MIN_SIDE_PX", "16.5"),
        ("CV_THREADS", "-1"),
        ("CV_THREADS", "257"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(InvalidSetting, match=f"{PREFIX}{name}='{value}'") as caught:
        Settings.read()
    assert "docs/settings.md" in caught.value.message


@pytest.mark.parametrize("name", FIELDS)
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), "")
    expected = Path("data").absolute() if name == "data_dir" else FIELDS[name].default
    assert getattr(Settings.read(), name) == expected


def test_the_data_folder_is_absolute_and_knows_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANIMATIZE_DATA_DIR", "~/pictures")
    assert Settings.read().data_dir == tmp_path / "pictures"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMATIZE_DATA_DIR", "here")
    assert Settings.read().data_dir == tmp_path / "here"


@pytest.mark.parametrize("name", ["FALLBACK", "BUDGET_PROVIDER_DAY_USD"])
def test_a_list_that_is_no_json_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"ANIMATIZE_{name}", "flux")
    with pytest.raises(InvalidSetting, match=f"ANIMATIZE_{name} .*JSON"):
        Settings.read()
