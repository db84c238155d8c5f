"""The runbook: whatever is told of leads to a section that is there."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from animatize_assets.performance.alert_models import AlertType, runbook_of
from animatize_assets_tests.deploy.observed import REPOSITORY, alerts

PAGE = "docs/runbook.md"
TEXT = (REPOSITORY / PAGE).read_text(encoding="utf-8")


def anchors() -> set[str]:
    """The headings as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def ten_things() -> list[str]:
    return re.findall(r"^\| \d+ \|.*$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("alert_type", get_args(AlertType))
def test_every_alert_of_ours_leads_to_a_section_and_is_in_the_table(alert_type: str) -> None:
    page, _, anchor = runbook_of(alert_type).partition("#")
    assert page == PAGE
    assert anchor in anchors()
    assert any(f"`{alert_type}`" in row for row in ten_things())


def test_every_alert_of_prometheus_leads_to_a_section() -> None:
    led = [rule["annotations"]["runbook"].partition("#") for rule in alerts()]
    assert {page for page, _, _ in led} == {PAGE}
    assert {anchor for _, _, anchor in led} <= anchors()


def test_ten_things_lead_to_what_to_do() -> None:
    rows = ten_things()
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, 11))
    assert all("](#" in row for row in rows)


def test_every_link_within_the_page_and_to_another_one_leads_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors()
    for file in re.findall(r"\]\(([^)#]+\.md)\)", TEXT):
        assert (REPOSITORY / "docs" / file).is_file(), file


def test_an_alert_of_an_earlier_version_leads_to_the_page() -> None:
    assert runbook_of("something of long ago") == PAGE
