"""The analyzer reads the right days and reports in the shape that clients know."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np

from animatize_assets.performance.analyzer import PerformanceAnalyzer
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.fleet import records
from animatize_assets_tests.performance.jobs import MONDAY

NOW = MONDAY + timedelta(days=7)


def busy(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["start_s"] = 3600.0 * number
    plan["slower"] = 1.006**number
    plan["queue_s"] = random.lognormal(np.log(90), 0.3)


def analyzer(store: PerformanceStore, days_later: int = 0) -> PerformanceAnalyzer:
    return PerformanceAnalyzer(store, clock=lambda: NOW + timedelta(days=days_later))


def test_a_report_has_the_shape_that_clients_know(store: PerformanceStore) -> None:
    store.record(*records(160, change=busy))
    report = analyzer(store).generate_performance_report()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert set(report) == {
        "report_generated",
        "analysis_period_days",
        "overall_statistics",
        "bottlenecks",
        "trends",
        "optimization_opportunities",
        "summary",
    }
    assert set(report["overall_statistics"]) == {
        "total_jobs",
        "avg_generation_time",
        "avg_gpu_utilization",
        "success_rate",
        "period_start",
        "period_end",
    }
    [bottleneck] = report["bottlenecks"]
    assert set(bottleneck) == {
        "type",
        "severity",
        "affected_jobs",
        "description",
        "recommendations",
        "metrics",
    }
    assert bottleneck["type"] == "high_queue_time"
    keys = {
        "metric",
        "direction",
        "change_rate",
        "confidence",
        "current_value",
        "predicted_value_7d",
    }
    assert {frozenset(each) for each in report["trends"]} == {frozenset(keys)}
    keys = {
        "area",
        "potential_improvement",
        "effort_required",
        "description",
        "implementation_steps",
        "expected_impact",
    }
    assert {frozenset(each) for each in report["optimization_opportunities"]} == {frozenset(keys)}
    summary = report["summary"]
    assert set(summary) == {
        "critical_bottlenecks",
        "improving_trends",
        "degrading_trends",
        "optimization_potential",
    }
    assert summary["critical_bottlenecks"] == (bottleneck["severity"] >= 0.7)
    assert summary["degrading_trends"] == 1
    assert 0 < summary["optimization_potential"] < 1


def test_an_empty_store_is_reported_without_invented_numbers(store: PerformanceStore) -> None:
    report = analyzer(store).generate_performance_report()
    assert report["overall_statistics"]["total_jobs"] == 0
    assert report["overall_statistics"]["success_rate"] is None
    assert report["overall_statistics"]["avg_generation_time"] is None
    assert report["bottlenecks"] == report["trends"] == report["optimization_opportunities"] == []
    assert report["summary"]["optimization_potential"] == 0


def test_only_the_days_asked_for_are_judged(store: PerformanceStore) -> None:
    store.record(*records(160, change=busy))
    assert [each.type for each in analyzer(store).analyze_bottlenecks(7)] == ["high_queue_time"]
    assert analyzer(store, days_later=8).analyze_bottlenecks(7) == ()
    assert analyzer(store, days_later=8).analyze_bottlenecks(14) != ()
    assert analyzer(store).analyze_bottlenecks(7, pipeline_type="video") == ()


def test_earlier_jobs_are_what_the_period_is_compared_with(store: PerformanceStore) -> None:
    def slower_to_start_later(
        plan: dict[str, Any], number: int, random: np.random.Generator
    ) -> None:
        plan["start_s"] = 4 * 3600.0 * number
        plan["side"] = 1536
        plan["before_s"] = (4.0 if number < 42 else 14.0) * random.lognormal(0, 0.2)

    store.record(*records(84, change=slower_to_start_later))
    found = analyzer(store, days_later=7).analyze_bottlenecks(7)
    assert [each.type for each in found] == ["slow_initialization"]


def test_trends_and_opportunities_are_those_of_the_report(store: PerformanceStore) -> None:
    store.record(*records(160, change=busy))
    asked = analyzer(store)
    report = asked.generate_performance_report(7)
    assert [each.metric for each in asked.analyze_trends(7)] == [
        each["metric"] for each in report["trends"]
    ]
    assert [each.area for each in asked.identify_optimization_opportunities(7)] == [
        each["area"] for each in report["optimization_opportunities"]
    ]
