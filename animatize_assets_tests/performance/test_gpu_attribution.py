"""Which figures of a GPU belong to a job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance.gpu import GpuProcess, GpuReading
from animatize_assets.performance.gpu_attribution import (
    LEAST_OWN_SHARE,
    GpuFigures,
    GpuLook,
    JobProcesses,
    judge,
)
from animatize_assets.performance.models import ResourceUse

OWN = 100
OTHER = 200
FOREIGN = "a container"


class Monitor:
    """A monitor that only says what it is."""

    def __init__(
        self,
        problem: str | None = None,
        foreign_pids: str | None = None,
        *,
        is_exclusive: bool = False,
    ) -> None:
        self.problem = problem
        self.foreign_pids = foreign_pids
        self.is_exclusive = is_exclusive

    def read(self) -> tuple[GpuReading, ...]:
        raise AssertionError("judging does not look")


def process(pid: int, memory: float | None = 1000, utilization: float | None = 10) -> GpuProcess:
    return GpuProcess(pid, memory, utilization)


def device(*processes: GpuProcess, index: int = 0, utilization: float | None = 50) -> GpuReading:
    return GpuReading(str(index), f"GPU-{index}", "Stub", utilization, 3000, 8000, processes)


def look(*readings: GpuReading, rivals: bool = False, monitor: Monitor | None = None) -> GpuLook:
    processes = JobProcesses({OWN, OWN + 1}, has_rivals=rivals, uses_cuda=True)
    return judge(readings, monitor or Monitor(), processes)


def test_a_job_alone_on_a_device_gets_the_devices_utilization_and_its_own_memory() -> None:
    found = look(device(process(OWN)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("process", 50, 1000)


def test_beside_another_process_only_its_own_share_is_its() -> None:
    found = look(device(process(OWN), process(OTHER, 2000, 40)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("process", 10, 1000)


def test_a_child_of_the_job_is_the_job() -> None:
    found = look(device(process(OWN), process(OWN + 1, 500, 5), process(OTHER)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("process", 15, 1500)


def test_rounded_shares_never_add_up_to_more_than_the_whole() -> None:
    found = look(device(process(OWN, 1, 60), process(OWN + 1, 1, 41), process(OTHER)))
    assert found.utilization == 100


def test_a_device_of_others_is_not_used_by_the_job() -> None:
    found = look(device(process(OTHER)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == (None, None, None)
    assert found.reason == "no process of the job uses a GPU"


def test_two_jobs_in_one_process_share() -> None:
    found = look(device(process(OWN)), rivals=True)
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("shared", None, None)


def test_a_job_that_is_not_on_the_device_does_not_share_it() -> None:
    assert look(device(process(OTHER)), rivals=True).attribution is None


def test_figures_of_the_device_count_where_no_process_is_told_and_it_is_alone() -> None:
    silent = process(OWN, None, None)
    alone = look(device(silent))
    assert (alone.attribution, alone.utilization, alone.memory_used_mb) == ("device", 50, 3000)
    assert look(device(silent, process(OTHER, None, None))).attribution == "shared"


def test_the_share_of_one_among_several_may_be_unknown() -> None:
    found = look(device(process(OWN, 1000, None), process(OTHER)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("process", None, 1000)
    assert set(found.unread) == {"utilization"}


def test_a_job_on_two_devices_gets_their_mean_and_their_sum() -> None:
    found = look(
        device(process(OWN), utilization=20), device(process(OWN), index=1, utilization=80)
    )
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("process", 50, 2000)
    figures = GpuFigures()
    figures.add(found)
    known, _ = figures.fields()
    assert known["gpu_model"] == "2 x Stub"
    assert known["vram_total_mb"] == 16_000


def test_nothing_is_read_where_there_is_nothing() -> None:
    assert look(monitor=Monitor("no driver")).reason == "no driver"


def in_container(
    *readings: GpuReading,
    uses_cuda: bool | None = True,
    rivals: bool = False,
    is_exclusive: bool = False,
) -> GpuLook:
    monitor = Monitor(None, FOREIGN, is_exclusive=is_exclusive)
    return judge(readings, monitor, JobProcesses({OWN}, has_rivals=rivals, uses_cuda=uses_cuda))


def test_in_a_container_the_same_number_is_another_process() -> None:
    found = in_container(device(process(OWN), process(OTHER)))
    assert found.attribution == "shared", "which of the two is the job is not known"


def test_in_a_container_the_only_process_of_the_only_device_is_the_job() -> None:
    found = in_container(device(process(OTHER)))
    assert (found.attribution, found.utilization, found.memory_used_mb) == ("device", 50, 3000)


@pytest.mark.parametrize("uses_cuda", [False, None])
def test_in_a_container_a_job_without_cuda_gets_nothing(*, uses_cuda: bool | None) -> None:
    found = in_container(device(process(OTHER)), uses_cuda=uses_cuda, is_exclusive=True)
    assert found.attribution is None
    assert found.reason


@pytest.mark.parametrize(
    "readings",
    [
        (device(),),
        (device(process(OTHER)), device(index=1)),
        (GpuReading("0", "GPU-0", "Stub", 50, 1, 2, None, unread={"processes": "refused"}),),
    ],
)
def test_in_a_container_doubt_gives_nothing_unless_devices_are_declared_its_own(
    readings: tuple[GpuReading, ...],
) -> None:
    doubtful = in_container(*readings)
    assert doubtful.attribution is None
    assert doubtful.reason is not None
    assert doubtful.reason.startswith(FOREIGN)
    assert in_container(*readings, is_exclusive=True).attribution == "device"


def test_in_a_container_jobs_of_one_process_share() -> None:
    assert in_container(device(process(OTHER)), rivals=True).attribution == "shared"


def test_in_a_container_a_lost_device_is_nobodys() -> None:
    lost = GpuReading("0", "GPU-0", "Stub", is_lost=True, unread={"processes": "lost"})
    found = in_container(lost, is_exclusive=True)
    assert (found.attribution, found.reason) == (None, "lost")


def added(*looks: GpuLook) -> tuple[dict[str, object], dict[str, str]]:
    figures = GpuFigures()
    for each in looks:
        figures.add(each)
    return figures.fields()


OF_ONE = look(device(process(OWN)))
OF_SEVERAL = look(device(process(OWN)), rivals=True)
OF_NONE = look(device(process(OTHER)))


def test_averages_and_peaks_are_over_the_looks_that_are_its_own() -> None:
    busier = look(device(process(OWN, 3000), utilization=100))
    known, unmeasured = added(OF_NONE, OF_ONE, busier)
    assert known == {
        "gpu_model": "Stub",
        "gpu_utilization_avg": 75,
        "gpu_utilization_peak": 100,
        "vram_used_mb": 2000,
        "vram_peak_mb": 3000,
        "vram_total_mb": 8000,
        "gpu_attribution": "process",
    }
    assert set(unmeasured) == {"gpu"}
    assert "1 of 3 looks" in unmeasured["gpu"]


def test_a_job_that_mostly_shared_is_marked_and_gets_no_figure() -> None:
    known, unmeasured = added(OF_ONE, OF_SEVERAL, OF_SEVERAL)
    assert known == {"gpu_model": "Stub", "vram_total_mb": 8000, "gpu_attribution": "shared"}
    assert "2 of 3 looks" in unmeasured["gpu"]


def test_a_job_that_was_never_looked_at_says_so() -> None:
    assert added() == ({}, {"gpu": "the job ended before the first look at the GPU"})


@given(st.lists(st.sampled_from(["process", "device", "shared", "none"]), max_size=12))
def test_figures_belong_to_a_job_or_are_marked_or_have_a_reason(kinds: list[str]) -> None:
    looks = {
        "process": OF_ONE,
        "device": look(device(process(OWN, None, None))),
        "shared": OF_SEVERAL,
        "none": OF_NONE,
    }
    known, unmeasured = added(*(looks[kind] for kind in kinds))
    use = ResourceUse.model_validate({**known, "unmeasured": unmeasured})
    own = kinds.count("process") + kinds.count("device")
    marked = kinds.count("shared")
    figures = (use.gpu_utilization_avg, use.gpu_utilization_peak, use.vram_used_mb)
    if not own + marked:
        assert use.gpu_attribution is None
    elif own < LEAST_OWN_SHARE * (own + marked):
        assert use.gpu_attribution == "shared"
    else:
        assert use.gpu_attribution == ("device" if "device" in kinds else "process")
    assert all(
        (figure is not None) == (use.gpu_attribution in {"process", "device"}) for figure in figures
    )
    assert ("gpu" in unmeasured) == (own < len(kinds) or not kinds)
