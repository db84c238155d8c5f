"""Estimator, trends and report are late when their schedules missed a turn, as Dagster judges."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions import freshness_evaluator
from dagster._core.loader import LoadingContextForTest

from animatize_assets.definitions import defs

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def judged(
    instance: dg.DagsterInstance, asset: str, age: timedelta, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Return how fresh ``asset`` is so long after now, as the daemon finds out."""
    later = time.time() + age.total_seconds()
    monkeypatch.setattr(freshness_evaluator, "get_current_timestamp", lambda: later)
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    policy = node.freshness_policy_or_from_metadata
    assert policy is not None
    evaluator = freshness_evaluator.FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(policy)]()
    context = LoadingContextForTest(instance)
    return asyncio.run(evaluator.evaluate_freshness(context=context, node=node)).value


@pytest.mark.parametrize(
    ("asset", "partition", "ages"),
    [
        ("daily_performance_trends", "2026-06-01", (25 * HOUR, 27 * HOUR, 2 * DAY)),
        ("weekly_performance_report", "2026-06-01", (7 * DAY + HOUR, 7.5 * DAY, 8 * DAY)),
        ("time_estimator", "video", (7 * DAY + HOUR, 14 * DAY, 15 * DAY)),
    ],
)
def test_what_missed_its_turn_is_late(
    asset: str,
    partition: str,
    ages: tuple[timedelta, timedelta, timedelta],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert judged(instance, asset, 365 * DAY, monkeypatch) == "UNKNOWN"  # nobody uses it yet
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition))
    found = [judged(instance, asset, age, monkeypatch) for age in (timedelta(), *ages)]
    assert found == ["PASS", "PASS", "WARN", "FAIL"]


def test_the_embedded_instance_judges_freshness(instance: dg.DagsterInstance) -> None:
    assert instance.freshness_enabled
    assert "FRESHNESS_DAEMON" in instance.get_required_daemon_types()
