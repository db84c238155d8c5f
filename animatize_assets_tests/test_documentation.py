"""The documentation's first page leads to every other one, and knows every schedule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from animatize_assets.definitions import defs

ROOT = Path(__file__).parents[1]
FIRST = ROOT / "docs" / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))


def links_of(page: Path) -> set[Path]:
    """Files of the repository that a page links to."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links if "://" not in link}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    assert {str(link) for link in links_of(page) if not link.exists()} == set()


def test_the_first_page_leads_to_every_other_one_and_the_readme_to_it() -> None:
    assert set(PAGES) - {FIRST} <= links_of(FIRST)
    assert FIRST in links_of(ROOT / "README.md")


def test_the_first_page_names_every_schedule() -> None:
    text = FIRST.read_text(encoding="utf-8")
    names = [schedule.name for schedule in defs.schedules or ()]
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []
