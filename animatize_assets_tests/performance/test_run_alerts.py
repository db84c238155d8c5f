"""Failed work is one alert until it is done, and silence is an alert when it is too long."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from animatize_assets.performance.alert_store import AlertStore, Raised
from animatize_assets.performance.models import AlertRecord
from animatize_assets.performance.run_alerts import (
    CONFIRM_EVERY,
    FailedWork,
    RunningRun,
    StuckRules,
    by_kind,
    failed_work,
    patience_s,
    stuck_runs,
    told_of_stuck,
)

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULES = StuckRules(least_s=1_800, factor=3)


def failure(run: str, *images: str, **known: Any) -> FailedWork:
    fields: dict[str, Any] = {
        "job": "animate_images",
        "kind": "generated_picture provider",
        "run_ids": (run,),
        "failed_at": START,
        "images": images,
        "stages": ("generated_picture",) if images else (),
        "total": 10,
        "reason": "generated_picture: it is down.",
        "remedy": "Ask later.",
    }
    return FailedWork(**(fields | known))


class Watch:
    """Looks of the sensor, over alerts of a real store and images that are complete or not."""

    def __init__(self, engine: Engine) -> None:
        self.now = START
        self.store = AlertStore(engine, lambda: self.now)
        self.complete: set[str] = set()
        self.repaired: set[str] = set()

    def look(self, *failures: FailedWork) -> Raised:
        def unfinished(keys: Collection[str], stages: Collection[str]) -> list[str]:
            assert stages
            return [key for key in keys if key not in self.complete]

        return self.store.raise_(
            failed_work(
                failures,
                self.open(),
                unfinished,
                lambda work: work.job in self.repaired,
                now=self.now,
            )
        )

    def open(self) -> tuple[AlertRecord, ...]:
        return self.store.alerts(is_resolved=False)


@pytest.fixture
def watch(engine: Engine) -> Watch:
    return Watch(engine)


def images_of(alert: AlertRecord) -> Any:
    return alert.details["images"]


def test_a_failure_is_told_with_its_run_images_and_remedy_until_they_are_complete(
    watch: Watch,
) -> None:
    (alert,) = watch.look(failure("r1", "a", "b")).new
    assert (alert.alert_type, alert.severity) == ("run_failed", "medium")
    assert "Run r1" in alert.message
    assert "a, b" in alert.message
    assert alert.message.endswith("Ask later.")
    assert alert.details["run_ids"] == ["r1"]
    watch.complete = {"a"}
    (fewer,) = watch.look().repeated
    assert images_of(fewer) == ["b"]
    assert watch.look() == Raised((), (), ())  # nothing changed, so nothing is written
    watch.complete = {"a", "b"}
    assert [each.id for each in watch.look().resolved] == [alert.id]
    assert watch.open() == ()


def test_what_fails_alike_in_many_runs_is_one_alert(watch: Watch) -> None:
    watch.look(*(failure(f"r{number}", f"i{number}") for number in range(40)))
    (alert,) = watch.open()
    assert len(images_of(alert)) == 40
    assert alert.details["run_ids"][0] == "r39"  # type: ignore[index]
    assert "and 37 more" in alert.message


def test_an_image_counts_where_it_failed_last(watch: Watch) -> None:
    watch.look(failure("r1", "a", "b"))
    watch.look(failure("r2", "a", kind="animatic_clip rendering"))
    kinds = {alert.details["kind"]: images_of(alert) for alert in watch.open()}
    assert kinds == {"generated_picture provider": ["b"], "animatic_clip rendering": ["a"]}
    watch.look(failure("r3", "b", kind="animatic_clip rendering"))
    (alert,) = watch.open()
    assert images_of(alert) == ["a", "b"]


def test_a_failure_that_is_repaired_already_is_no_alert(watch: Watch) -> None:
    watch.complete = {"a"}
    assert watch.look(failure("r1", "a")) == Raised((), (), ())


def test_a_run_of_which_nothing_was_made_is_more_severe(watch: Watch) -> None:
    watch.look(failure("r1", "a", "b", total=2))
    assert [alert.severity for alert in watch.open()] == ["high"]


def test_other_work_is_over_when_a_later_run_of_it_succeeds(watch: Watch) -> None:
    (alert,) = watch.look(failure("r1", job="clean_caches", kind="run")).new
    assert (alert.severity, alert.actual_value) == ("high", None)
    assert watch.look().resolved == ()
    watch.repaired = {"clean_caches"}
    assert len(watch.look().resolved) == 1


def test_what_is_still_so_is_confirmed_once_a_day(watch: Watch) -> None:
    watch.look(failure("r1", "a"))
    seen = []
    for _ in range(8):
        watch.now += CONFIRM_EVERY
        seen.append(len(watch.look().repeated))
        watch.look()
    assert seen == [1] * 8
    assert watch.store.resolve_stale() == ()


runs = st.lists(
    st.tuples(
        st.sampled_from(["scene invalid", "picture down"]),
        st.sets(st.sampled_from("abcdef"), min_size=1),
    ),
    max_size=6,
)


@given(looks=st.lists(st.tuples(runs, st.sets(st.sampled_from("abcdef"))), max_size=5))
def test_open_alerts_name_exactly_the_failed_images_that_are_not_complete(
    looks: Sequence[tuple[Sequence[tuple[str, set[str]]], set[str]]],
) -> None:
    alerts: dict[str, AlertRecord] = {}
    failed: dict[str, str] = {}
    for number, (found, complete) in enumerate(looks):
        failures = [failure(f"r{number}", *sorted(keys), kind=kind) for kind, keys in found]
        failed |= {key: kind for kind, keys in found for key in keys}
        judged = failed_work(
            failures,
            list(alerts.values()),
            partial(not_in, complete),
            lambda _: False,
            now=START,
        )
        for name in judged.cleared:
            alerts.pop(name, None)
        alerts |= {draft.fingerprint: record(draft) for draft in judged.drafts}
        failed = {key: kind for key, kind in failed.items() if key not in complete}
        named = {
            key: str(alert.details["kind"]) for alert in alerts.values() for key in images_of(alert)
        }
        assert named == failed


def not_in(complete: set[str], keys: Collection[str], _: Collection[str]) -> list[str]:
    return [key for key in keys if key not in complete]


def record(draft: Any) -> AlertRecord:
    return AlertRecord(
        id=1,
        fingerprint=draft.fingerprint,
        alert_type=draft.alert_type,
        severity=draft.severity,
        message=draft.message,
        details=draft.details,
        threshold_value=None,
        actual_value=draft.actual_value,
        is_resolved=False,
        occurrences=1,
        created_at=START,
        last_seen_at=START,
        resolved_at=None,
        resolved_by=None,
        delivered_at=None,
    )


def test_images_are_gathered_by_what_failed() -> None:
    told = {
        "a": {"asset": "scene_analysis", "code": "invalid"},
        "b": {"asset": "generated_picture", "code": "provider"},
        "c": {"asset": "scene_analysis", "code": "invalid"},
    }
    assert by_kind(told) == {
        "scene_analysis invalid": ["a", "c"],
        "generated_picture provider": ["b"],
    }


def running(silent_s: float, **known: Any) -> RunningRun:
    return RunningRun(
        run_id="r1",
        job="animate_images",
        started_at=START - timedelta(days=1),
        last_event_at=START - timedelta(seconds=silent_s),
        **known,
    )


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, 1_800),
        ({"images": 10, "at_most_s": 100.0}, 1_800),  # 30 s, but the least counts
        ({"images": 10, "at_most_s": 20_000.0}, 6_000),
        ({"at_most_s": 20_000.0}, 60_000),
    ],
)
def test_patience_is_the_upper_bound_of_an_image_times_the_factor(
    known: dict[str, Any], expected: float
) -> None:
    assert patience_s(running(0, **known), RULES) == expected
    assert stuck_runs([running(expected, **known)], RULES, now=START) == ()
    assert len(stuck_runs([running(expected + 1, **known)], RULES, now=START)) == 1


def test_a_stuck_run_is_told_once_and_is_over_when_it_goes_on(engine: Engine) -> None:
    alerts = AlertStore(engine, lambda: START)

    def look(*stuck: RunningRun, cancelled: bool = False) -> Raised:
        opened = alerts.alerts(is_resolved=False)
        return alerts.raise_(told_of_stuck(stuck, opened, RULES, is_cancelled=cancelled, now=START))

    (alert,) = look(running(7_200, images=3)).new
    assert (alert.alert_type, alert.severity) == ("run_stuck", "high")
    assert "120 minutes (at most 30 were expected)" in alert.message
    assert alert.details == {"run_id": "r1", "job": "animate_images", "images": 3}
    assert look(running(7_230, images=3)) == Raised((), (), ())
    assert [each.id for each in look().resolved] == [alert.id]
    assert "it is cancelled" in look(running(7_200), cancelled=True).new[0].message
