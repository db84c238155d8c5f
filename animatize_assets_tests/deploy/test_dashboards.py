"""Dashboards are such that Grafana takes them, and a person understands them.

What their queries return is asked of a real Prometheus in ``test_prometheus``.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from animatize_assets_tests.deploy.observed import (
    DASHBOARD_FILES,
    PROVISIONING,
    dashboard_queries,
    panels,
    parsed,
)

COLUMNS = 24
"""Of Grafana's grid."""


def test_there_is_one_for_each_subject() -> None:
    found = {file.stem: parsed(file) for file in DASHBOARD_FILES}
    assert set(found) == {"pipeline", "performance", "providers", "service"}
    assert {each["uid"] for each in found.values()} == {f"animatize-{name}" for name in found}
    assert len({each["title"] for each in found.values()}) == len(found)
    assert all(each["timezone"] == "utc" for each in found.values())


def test_every_panel_asks_the_provisioned_source() -> None:
    (source,) = parsed(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"].startswith("${"), "where Prometheus is, only the machine knows"
    for _, panel in panels():
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": source["type"], "uid": source["uid"]}


def test_the_folder_is_told_by_the_environment() -> None:
    (provider,) = parsed(PROVISIONING / "dashboards" / "animatize.yml")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("${")


def test_every_panel_says_what_it_shows() -> None:
    for file, panel in panels():
        assert panel["title"], file
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


def test_queries_are_plain() -> None:
    """Grafana's own variables would be nothing that Prometheus understands, nor the tests."""
    assert not [where for where, query in dashboard_queries().items() if "$" in query]


@pytest.mark.parametrize("file", DASHBOARD_FILES, ids=lambda file: file.stem)
def test_panels_lie_beside_each_other(file: Path) -> None:
    here = parsed(file)["panels"]
    assert len({panel["id"] for panel in here}) == len(here)
    for panel in here:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    for one, other in combinations(here, 2):
        assert apart(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(
        before[start] + before[size] <= after[start]
        for start, size in (("x", "w"), ("y", "h"))
        for before, after in ((one, other), (other, one))
    )
