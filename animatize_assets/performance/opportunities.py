"""What could be better although nothing is broken, and what mending the bottlenecks would bring.

Belongs here: opportunities and what each would save, estimated from the jobs. Does not belong
here: detecting faults (``bottlenecks``), acting on any of this.

Every gain is a share of the seconds (or of the money) of the same jobs; what cannot be estimated
from them is not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from animatize_assets.performance.bottlenecks.findings import (
    Bottleneck,
    BottleneckType,
    clipped,
    percent,
    seconds,
)
from animatize_assets.performance.bottlenecks.likeness import longer_than_like, work_seconds
from animatize_assets.records import Record, Share

if TYPE_CHECKING:
    import pandas as pd

Effort = Literal["low", "medium", "high"]

LEAST_GAIN = 0.01
"""Of the seconds or the money; a smaller opportunity is not told."""

_SIGNIFICANCE = 0.01
_SLOWER = 1.2
"""A worker or model is passed over when like work takes so many times longer on it: what is
nearer than that is within the promised accuracy."""
_LEAST_RATED = 10
_WORSE_RATED = 0.3
"""Stars of the mean rating that a cheaper model may lose and still be as good as the dear one."""


class Opportunity(Record):
    """Something that would save time or money."""

    area: str
    potential_improvement: Share = Field(description="share of the period's seconds or money")
    saves: Literal["time", "money"]
    effort_required: Effort = Field(
        description="low: a parameter or setting; medium: a change of where jobs run; high: "
        "hardware or code"
    )
    description: str
    implementation_steps: tuple[str, ...]
    expected_impact: str


_EFFORT: dict[BottleneckType, Effort] = {
    "low_gpu_utilization": "medium",
    "high_queue_time": "medium",
    "memory_constraint": "low",
    "cpu_bottleneck": "high",
    "high_failure_rate": "medium",
    "slow_initialization": "medium",
    "resource_contention": "low",
    "suboptimal_parameters": "low",
}


def identify_optimization_opportunities(
    jobs: pd.DataFrame, bottlenecks: Sequence[Bottleneck]
) -> tuple[Opportunity, ...]:
    """Return what would save at least 1 % of time or money, the largest first.

    ``jobs``: a table as ``PerformanceStore.frame`` returns it; ``bottlenecks``: its findings.
    """
    if jobs.empty:
        return ()
    jobs = jobs.reset_index(drop=True)
    offered = [
        *(_mended(each) for each in bottlenecks),
        _repeated(jobs),
        _slow_worker(jobs),
        _dear_model(jobs),
    ]
    found = [each for each in offered if each and each.potential_improvement >= LEAST_GAIN]
    return tuple(sorted(found, key=lambda each: -each.potential_improvement))


def _mended(bottleneck: Bottleneck) -> Opportunity:
    gain = bottleneck.expected_gain
    return Opportunity(
        area=bottleneck.type,
        potential_improvement=gain,
        saves="time",
        effort_required=_EFFORT[bottleneck.type],
        description=bottleneck.description,
        implementation_steps=bottleneck.recommendations,
        expected_impact=(
            f"{percent(gain)} of the period's seconds, in {bottleneck.affected_jobs} jobs"
        ),
    )


_SAME_RESULT = (
    "pipeline_type",
    "job_type",
    "provider",
    "model",
    "sampler",
    "width",
    "height",
    "frame_count",
    "steps",
    "guidance_scale",
    "batch_size",
    "seed",
    "partition_key",
)


def _repeated(jobs: pd.DataFrame) -> Opportunity | None:
    """Offer to keep results that were made more than once: the same image, parameters and seed."""
    known = jobs[jobs["success"] & jobs["seed"].notna() & jobs["partition_key"].notna()]
    again = known[known.duplicated(list(_SAME_RESULT), keep="first")]
    if again.empty:
        return None
    spent = float(again["total_time_seconds"].sum())
    share = clipped(spent / float(jobs["total_time_seconds"].sum()))
    return Opportunity(
        area="result_reuse",
        potential_improvement=share,
        saves="time",
        effort_required="low",
        description=(
            f"{len(again)} of {len(jobs)} jobs made what an earlier one had made already: the same "
            "image, parameters and seed."
        ),
        implementation_steps=(
            "Look up the result by its parameters before the job starts.",
            f"Begin with {again['partition_key'].value_counts().index[0]}, repeated most often.",
        ),
        expected_impact=f"{seconds(spent)}, {percent(share)} of the period's seconds",
    )


def _slow_worker(jobs: pd.DataFrame) -> Opportunity | None:
    """Offer to send work from the slowest worker to the others, when like work is faster there."""
    workers = jobs["worker"].dropna().unique()
    spent = work_seconds(jobs).where(jobs["success"])
    found: list[Opportunity] = []
    for worker in workers if len(workers) > 1 else ():
        here = jobs["worker"] == worker
        columns = ("pipeline_type", "job_type", "provider", "model", "sampler")
        there = jobs["worker"].notna() & ~here
        compared = longer_than_like(jobs, spent, here, there, columns=columns)
        if compared is None or compared.ratio < _SLOWER or compared.p_value >= _SIGNIFICANCE:
            continue
        saved = float(spent[here].sum()) * (1 - 1 / compared.ratio)
        share = clipped(saved / float(jobs["total_time_seconds"].sum()))
        found.append(
            Opportunity(
                area="worker_routing",
                potential_improvement=share,
                saves="time",
                effort_required="medium",
                description=(
                    f"Worker {worker} takes {compared.ratio:.2f} times as long as the others for "
                    f"like work ({compared.compared} jobs compared)."
                ),
                implementation_steps=(
                    f"Find out what differs on {worker}: device, driver, clock limit, disk.",
                    f"Until then send jobs to {worker} only when the other workers are full.",
                ),
                expected_impact=f"{seconds(saved)}, {percent(share)} of the period's seconds",
            )
        )
    return max(found, key=lambda each: each.potential_improvement, default=None)


def _dear_model(jobs: pd.DataFrame) -> Opportunity | None:
    """Offer a cheaper model of the same pipeline and job type that persons rate as good."""
    paid = jobs[jobs["success"] & jobs["cost_usd"].notna() & jobs["model"].notna()]
    total = float(jobs["cost_usd"].sum())
    found: list[Opportunity] = []
    for (_, job_type), group in paid.groupby(["pipeline_type", "job_type"]):
        table = group.groupby("model").agg(
            cost=("cost_usd", "mean"),
            spent=("cost_usd", "sum"),
            jobs=("cost_usd", "size"),
            rated=("user_rating", "count"),
            rating=("user_rating", "mean"),
        )
        table = table[table["rated"] >= _LEAST_RATED]
        for dear, row in table.iterrows():
            good = table[
                (table["cost"] < row["cost"]) & (table["rating"] >= row["rating"] - _WORSE_RATED)
            ]
            if good.empty or total <= 0:
                continue
            cheap, other = str(good["cost"].idxmin()), good.loc[good["cost"].idxmin()]
            saved = float(row["spent"]) * (1 - float(other["cost"]) / float(row["cost"]))
            share = clipped(saved / total)
            found.append(
                Opportunity(
                    area="model_choice",
                    potential_improvement=share,
                    saves="money",
                    effort_required="low",
                    description=(
                        f"{cheap} costs {other['cost']:.4f} USD per {job_type} job and is rated "
                        f"{other['rating']:.1f}; {dear} costs {row['cost']:.4f} and is rated "
                        f"{row['rating']:.1f}."
                    ),
                    implementation_steps=(
                        f"Make {job_type} jobs with model {cheap} instead of {dear}.",
                        "Keep asking for ratings, and go back if they fall.",
                    ),
                    expected_impact=f"{saved:.2f} USD, {percent(share)} of the period's money",
                )
            )
    return max(found, key=lambda each: each.potential_improvement, default=None)
