"""Each kind of job is estimated once a run, and no job waits for an estimator that fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from animatize_assets.performance import run_promises
from animatize_assets.performance.models import Estimate, JobParameters, Submission
from animatize_assets.performance.run_promises import RunPromises
from animatize_assets_tests.performance.jobs import MONDAY


class Counting:
    """An estimator that counts what it is asked; each answer is the number of the question."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[Submission] = []
        self._fails = fails

    def estimate_many(self, submissions: Sequence[Submission]) -> list[Estimate]:
        if self._fails:
            raise RuntimeError("no estimator")
        told = []
        for each in submissions:
            self.asked.append(each)
            told.append(
                Estimate(
                    pipeline_type=each.pipeline_type,
                    predicted_time_seconds=len(self.asked),
                    prediction_method="heuristic",
                    model_used="fallback",
                    learned_from=0,
                )
            )
        return told


def _submission(steps: int, seed: int = 0) -> Submission:
    return Submission(
        pipeline_type="image",
        parameters=JobParameters(steps=steps, seed=seed, extra={"x": 1}),
        submitted_at=MONDAY,
    )


def test_a_kind_is_asked_for_once() -> None:
    estimator = Counting()
    promises = RunPromises(lambda: estimator)
    told = promises.estimate_many([_submission(1), _submission(2), _submission(1, seed=9)])
    assert [each.predicted_time_seconds for each in told] == [1, 2, 1]
    again = promises(_submission(2, seed=3))
    assert again is not None
    assert again.predicted_time_seconds == 2
    assert len(estimator.asked) == 2


def test_kinds_beyond_the_bound_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_promises, "MOST_KEPT", 2)
    estimator = Counting()
    promises = RunPromises(lambda: estimator)
    promises.estimate_many([_submission(1), _submission(2)])
    told = promises.estimate_many([_submission(1), _submission(3)])
    assert len(told) == 2
    assert len(estimator.asked) > 2


def test_a_failure_is_told_once_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    promises = RunPromises(lambda: Counting(fails=True))
    assert promises(_submission(1)) is None
    assert promises(_submission(2)) is None
    assert caplog.text.count("without an estimate") == 1
    with pytest.raises(RuntimeError):
        promises.estimate_many([_submission(1)])
