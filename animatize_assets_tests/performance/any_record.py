"""Any job record that the product may write, for tests that must hold for all of them.

Belongs here: hypothesis strategies. Does not belong here: plain records (``jobs``), labelled ones
(``simulator``).

Texts are without NUL and lone surrogates, which ``given_parameters`` replaces before a record is
made. A device stands once in a row, so its name and memory are the same in parameters and use.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, get_args

from hypothesis import strategies as st

from animatize_assets.performance.models import (
    PHASES,
    PIPELINE_TYPES,
    GpuAttribution,
    JobParameters,
    JobRecord,
    Phase,
    PredictionMethod,
    Promise,
    ResourceUse,
)
from animatize_assets.performance.store import NANO

MOST_COLUMN = 2**31 - 1
_MOST_NANOUSD = 10**15
"""A million dollars for one job; sums of more are counted in whole numbers all the same."""

_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_seconds = st.floats(0, 1e9)
_percent = st.floats(0, 100)
_megabytes = st.floats(0, 1e9)
_moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001  # the zone is drawn
    datetime(2190, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda past: timezone(timedelta(minutes=past))),
)


def _text(most: int, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(_characters, min_size=least, max_size=most)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_positive = st.integers(1, MOST_COLUMN)
_extra = st.dictionaries(
    _text(12),
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text(12),
    max_size=4,
)


@st.composite
def records(draw: st.DrawFn, job_id: str) -> JobRecord:
    """Draw a record of that job."""
    device = {"gpu_model": draw(_maybe(_text(128, 1))), "vram_total_mb": draw(_maybe(_megabytes))}
    parameters = st.builds(
        JobParameters,
        job_type=_text(64, 1),
        width=_maybe(_positive),
        height=_maybe(_positive),
        frame_count=_maybe(_positive),
        steps=_maybe(_positive),
        guidance_scale=_maybe(st.floats(0, 1e300)),
        sampler=_maybe(_text(64)),
        batch_size=_maybe(_positive),
        seed=_maybe(st.integers(-(2**63), 2**63 - 1)),
        provider=_maybe(_text(64)),
        model=_maybe(_text(160)),
        worker=_maybe(_text(160)),
        extra=_extra,
        **{name: st.just(value) for name, value in device.items()},
    )
    resources = st.builds(
        ResourceUse,
        gpu_utilization_avg=_maybe(_percent),
        gpu_utilization_peak=_maybe(_percent),
        vram_used_mb=_maybe(_megabytes),
        vram_peak_mb=_maybe(_megabytes),
        cpu_utilization_avg=_maybe(_percent),
        cpu_utilization_own=_maybe(_percent),
        memory_used_mb=_maybe(_megabytes),
        memory_total_mb=_maybe(_megabytes),
        disk_read_mb=_maybe(_megabytes),
        disk_write_mb=_maybe(_megabytes),
        network_latency_ms=_maybe(_seconds),
        gpu_attribution=_maybe(st.sampled_from(get_args(GpuAttribution))),
        unmeasured=st.dictionaries(_text(12), _text(12), max_size=2),
        **{name: st.just(value) for name, value in device.items()},
    )
    phases = st.builds(
        Phase, name=st.sampled_from(PHASES) | _text(12), description=_text(12), seconds=_seconds
    )
    promises = st.builds(
        Promise,
        predicted_seconds=_seconds,
        low_seconds=_maybe(_seconds),
        high_seconds=_maybe(_seconds),
        method=st.sampled_from(get_args(PredictionMethod)),
        model=_maybe(_text(160)),
    )
    return JobRecord(
        job_id=job_id,
        pipeline_type=draw(st.sampled_from(PIPELINE_TYPES)),
        parameters=draw(parameters),
        submitted_at=draw(_moments),
        started_at=draw(_maybe(_moments)),
        finished_at=draw(_moments),
        queue_length=draw(_maybe(st.integers(0, MOST_COLUMN))),
        queue_time_seconds=draw(_maybe(_seconds)),
        total_time_seconds=draw(_seconds),
        phases=tuple(draw(st.lists(phases, max_size=3))),
        resources=draw(resources),
        retries=draw(st.integers(0, MOST_COLUMN)),
        success=draw(st.booleans()),
        error_type=draw(_maybe(_text(128))),
        error_details=draw(_maybe(_text(200))),
        user_rating=draw(_maybe(st.integers(1, 5))),
        cost_usd=draw(_maybe(st.integers(0, _MOST_NANOUSD).map(lambda nano: nano / NANO))),
        promise=draw(_maybe(promises)),
        run_id=draw(_maybe(_text(64))),
        partition_key=draw(_maybe(_text(128))),
    )
