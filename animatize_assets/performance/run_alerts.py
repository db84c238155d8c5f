"""What a person must be told of Dagster's runs: work that failed, and runs that say nothing.

Belongs here: rules over runs, which others read and hand in. Does not belong here: Dagster, reading
or cancelling a run (``defs``), rules over jobs (``alerts``).

Work that failed alike (the same job, stage and kind of failure) is one alert, however many runs it
took: a provider that is gone for an hour does not tell of each image. An alert of images names
those that still lack a result, and is over when none does; one of other work is over when a later
run of the same job succeeds.

========== ========================================================================================
severity   run_failed
========== ========================================================================================
medium     some of the run's images failed; the others are complete
high       nothing of the run was made, or the work is not about images
========== ========================================================================================
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from animatize_assets.performance.alert_models import AlertDraft, AlertType, Judgement
from animatize_assets.performance.models import AlertRecord, Count, Seconds
from animatize_assets.records import Record

FAILED: AlertType = "run_failed"
STUCK: AlertType = "run_stuck"

MOST_IMAGES = 1_000
"""Images that one alert follows; of more that failed alike, the first."""

MOST_RUNS = 20
"""Runs that one alert names, the newest first."""

CONFIRM_EVERY = timedelta(days=1)
"""What is still so is said again: an alert that nothing confirms for a week is given up
(``alert_store.STALE``)."""


class FailedWork(Record):
    """What failed alike in a run, or in several."""

    job: str
    kind: str = Field(description="stage and kind of failure; 'run' when it is of no single image")
    run_ids: tuple[str, ...] = Field(description="newest first")
    failed_at: AwareDatetime = Field(description="end of the newest of them")
    images: tuple[str, ...] = Field(default=(), description="keys")
    stages: tuple[str, ...] = Field(
        default=(), description="what the runs were to make of the images; empty: not about images"
    )
    total: Count = Field(default=0, description="images of the newest run")
    scope: str = Field(default="", description="assets and partition of work not about images")
    reason: str = Field(description="one sentence, of the newest")
    remedy: str = ""

    @property
    def subject(self) -> str:
        """What an alert of it is about."""
        return ": ".join(part for part in (self.job, self.scope, self.kind) if part)


Unfinished = Callable[[Collection[str], Collection[str]], Collection[str]]
"""(image keys, stages) -> those of the images that lack the result of one of the stages."""

Repaired = Callable[[FailedWork], bool]
"""Whether a later run of the same job succeeded."""


def failed_work(
    failures: Iterable[FailedWork],
    open_alerts: Sequence[AlertRecord],
    unfinished: Unfinished,
    repaired: Repaired,
    *,
    now: datetime,
) -> Judgement:
    """Judge new failures together with the alerts that are open.

    Args:
        failures: what failed since the last look, in the order in which the runs ended.
        open_alerts: unresolved alerts of any type.
        unfinished: asks which images are not complete.
        repaired: asks of work that is not about images.
        now: with its time zone.

    """
    opened = {alert.fingerprint: alert for alert in open_alerts if alert.alert_type == FAILED}
    before = {work.subject: work for work in map(_work_of, opened.values())}
    known = dict(before)
    for failure in failures:
        known = {subject: _without(work, failure.images) for subject, work in known.items()}
        earlier = known.get(failure.subject)
        known[failure.subject] = failure if earlier is None else _together(earlier, failure)
    judged = Judgement()
    for subject, work in known.items():
        images = tuple(unfinished(work.images, work.stages)) if work.images else ()
        if not images if work.stages else repaired(work):
            judged += Judgement.fine(FAILED, subject)
            continue
        left = work.model_copy(update={"images": images})
        draft = _draft(left)
        alert = opened.get(draft.fingerprint)
        if alert is None or left != before[subject] or now - alert.last_seen_at >= CONFIRM_EVERY:
            judged += Judgement.bad(draft)
    return judged


def _without(work: FailedWork, images: Collection[str]) -> FailedWork:
    """Forget images that failed again since, maybe of something else: the newest failure counts."""
    if not set(images) & set(work.images):
        return work
    return work.model_copy(
        update={"images": tuple(key for key in work.images if key not in images)}
    )


def _together(before: FailedWork, after: FailedWork) -> FailedWork:
    return after.model_copy(
        update={
            "run_ids": tuple(dict.fromkeys((*after.run_ids, *before.run_ids)))[:MOST_RUNS],
            "images": tuple(dict.fromkeys((*before.images, *after.images)))[:MOST_IMAGES],
            "stages": tuple(dict.fromkeys((*before.stages, *after.stages))),
        }
    )


def _draft(work: FailedWork) -> AlertDraft:
    run, images = work.run_ids[0], len(work.images)
    named = ", ".join(work.images[:3]) + (f" and {images - 3} more" if images > 3 else "")
    what = f"{images} image(s) still lack a result ({named})" if images else "it was not repeated"
    is_whole = not images or images >= work.total
    return AlertDraft(
        alert_type=FAILED,
        subject=work.subject,
        severity="high" if is_whole else "medium",
        message=f"Run {run} of {work.job} failed, and {what}: {work.reason} {work.remedy}".strip(),
        threshold_value=None,
        actual_value=float(images) if images else None,
        details={
            "subject": work.subject,
            "job": work.job,
            "kind": work.kind,
            "run_ids": list(work.run_ids),
            "images": list(work.images),
            "stages": list(work.stages),
            "total": work.total,
            "scope": work.scope,
            "reason": work.reason,
            "remedy": work.remedy,
            "failed_at": work.failed_at.isoformat(),
        },
    )


def _work_of(alert: AlertRecord) -> FailedWork:
    kept = {name: value for name, value in alert.details.items() if name != "subject"}
    return FailedWork.model_validate(kept)


class StuckRules(Record):
    """When silence is too long."""

    least_s: Seconds = Field(description="no run is stuck after a shorter silence")
    factor: float = Field(ge=1, description="times the longest that one of its images may take")


class RunningRun(Record):
    """A run that has begun and not ended."""

    run_id: str
    job: str
    started_at: AwareDatetime
    last_event_at: AwareDatetime
    images: int | None = Field(default=None, ge=1, description="None: not about images, or unknown")
    at_most_s: Seconds | None = Field(
        default=None, description="upper bound of the estimate for the whole; None: nobody said"
    )


def patience_s(run: RunningRun, rules: StuckRules) -> float:
    """Return after how many seconds without an event ``run`` counts as stuck.

    Each image leaves events, so the longest silence to expect is the upper bound of the estimate
    shared out among the images. Without an estimate the least of the rules counts.
    """
    if run.at_most_s is None:
        return rules.least_s
    return max(rules.least_s, rules.factor * run.at_most_s / (run.images or 1))


def stuck_runs(
    runs: Iterable[RunningRun], rules: StuckRules, *, now: datetime
) -> tuple[RunningRun, ...]:
    """Return those of ``runs`` that have said nothing for too long."""
    return tuple(
        run for run in runs if (now - run.last_event_at).total_seconds() > patience_s(run, rules)
    )


def told_of_stuck(
    stuck: Iterable[RunningRun],
    open_alerts: Sequence[AlertRecord],
    rules: StuckRules,
    *,
    is_cancelled: bool,
    now: datetime,
) -> Judgement:
    """Judge runs that are stuck; an alert of one that ended, or goes on, is over.

    ``is_cancelled``: whether they are cancelled, which the message tells.
    """
    opened: Mapping[str, AlertRecord] = {
        str(alert.details["run_id"]): alert for alert in open_alerts if alert.alert_type == STUCK
    }
    by_id = {run.run_id: run for run in stuck}
    judged = Judgement.of(*(Judgement.fine(STUCK, each) for each in opened if each not in by_id))
    for run in by_id.values():
        alert = opened.get(run.run_id)
        if alert is None or now - alert.last_seen_at >= CONFIRM_EVERY:
            judged += _stuck(run, patience_s(run, rules), is_cancelled=is_cancelled, now=now)
    return judged


def _stuck(run: RunningRun, patience: float, *, is_cancelled: bool, now: datetime) -> Judgement:
    silent_s = (now - run.last_event_at).total_seconds()
    remedy = (
        "it is cancelled; what it finished stays, and its images can be asked for again"
        if is_cancelled
        else "look at its log, and cancel it in Dagster's UI if it does not go on"
    )
    return Judgement.bad(
        AlertDraft(
            alert_type=STUCK,
            subject=run.run_id,
            severity="high",
            message=f"Run {run.run_id} of {run.job} has said nothing for {silent_s / 60:.0f} "
            f"minutes (at most {patience / 60:.0f} were expected): {remedy}.",
            threshold_value=patience,
            actual_value=silent_s,
            details={"run_id": run.run_id, "job": run.job, "images": run.images},
        )
    )


def by_kind(failures: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return stage and kind of failure -> keys of the images that failed so.

    ``failures``: image key -> what is told of it: ``asset`` and ``code`` at least.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for image_key, told in failures.items():
        found[f"{told['asset']} {told['code']}"].append(image_key)
    return dict(found)
