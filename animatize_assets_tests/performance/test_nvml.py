"""What the real binding makes of a driver: each answer, each refusal, and devices that vanish."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

from animatize_assets_tests.performance.stubbed_nvml import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    ONE_GPU,
    StubbedMachine,
    compiled_stub,
)

MEASURED = ("utilization", "memory_used_mb", "memory_total_mb", "processes")


@pytest.fixture(scope="module")
def machine_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubbedMachine]:
    folder = tmp_path_factory.mktemp("nvml")
    machine = StubbedMachine(folder, compiled_stub(folder))
    yield machine
    machine.close()


@pytest.fixture
def machine(machine_of_module: StubbedMachine) -> StubbedMachine:
    """A machine with one device, whose library was not opened yet."""
    machine_of_module.set(ONE_GPU)
    machine_of_module.do("renew")
    return machine_of_module


def test_a_device_is_read(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": "7:2500000000 8:-", "gpu0.samples": "7:30"})
    answer = machine.do("read")
    assert answer["problem"] is None
    assert answer["readings"] == [
        {
            "index": "0",
            "uuid": "GPU-0",
            "name": "Stub 80GB",
            "utilization": 40.0,
            "memory_used_mb": 6000.0,
            "memory_total_mb": 80000.0,
            "processes": [
                {"pid": 7, "memory_used_mb": 2500.0, "utilization": 30.0},
                {"pid": 8, "memory_used_mb": None, "utilization": 0.0},
            ],
            "is_mig": False,
            "is_lost": False,
            "unread": {},
        }
    ]


def test_one_that_computes_and_draws_is_one_process(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": "7:100000000", "gpu0.graphics": "7:300000000 9:-"})
    found = {each["pid"]: each["memory_used_mb"] for each in machine.reading()["processes"]}
    assert found == {7: 300.0, 9: None}


def test_no_sample_of_anybody_tells_nothing_of_a_process(machine: StubbedMachine) -> None:
    """It may be idle, or no sampling period ended since the last look."""
    machine.set({**ONE_GPU, "gpu0.compute": "7:1"})
    reading = machine.reading()
    assert reading["processes"][0]["utilization"] is None
    assert "no sample" in reading["unread"]["process_utilization"]


@pytest.mark.parametrize("samples", ["", "7:4294967295"])
def test_an_empty_or_absurd_sample_is_none(machine: StubbedMachine, samples: str) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": "7:1", "gpu0.samples": samples})
    assert machine.reading()["processes"][0]["utilization"] is None


@pytest.mark.parametrize("call", ["utilization", "memory", "compute", "samples", "uuid", "name"])
def test_what_is_refused_is_none_with_the_code_and_the_rest_is_read(
    machine: StubbedMachine, call: str
) -> None:
    told = {**ONE_GPU, "gpu0.compute": "7:1", "gpu0.samples": "7:30"}
    machine.set({**told, f"gpu0.{call}.error": NO_PERMISSION})
    reading = machine.reading()
    unread = {
        "memory": {"memory_used_mb", "memory_total_mb"},
        "compute": {"processes"},
        "samples": {"process_utilization"},
    }.get(call, {call})
    assert set(reading["unread"]) == unread
    assert all(f"(code {NO_PERMISSION})" in reason for reason in reading["unread"].values())
    for name in ("uuid", "name", *MEASURED):
        assert (reading[name] is None) == (name in unread)


def test_without_permission_for_anything_everything_is_none(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.error": NO_PERMISSION})
    reading = machine.reading()
    assert all(reading[name] is None for name in ("uuid", "name", *MEASURED))
    assert set(reading["unread"]) == {"uuid", "name", *MEASURED}


@pytest.mark.parametrize("code", [DRIVER_NOT_LOADED, NO_PERMISSION, 18, 999])
def test_a_driver_that_does_not_start_is_a_problem_with_its_code(
    machine: StubbedMachine, code: int
) -> None:
    machine.set({**ONE_GPU, "init.error": code})
    answer = machine.do("read")
    assert answer["readings"] == []
    assert f"(code {code})" in answer["problem"]


def test_a_driver_that_is_loaded_later_is_found_within_a_minute(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "init.error": DRIVER_NOT_LOADED})
    assert machine.do("read")["readings"] == []
    machine.set(ONE_GPU)
    machine.do("later", seconds=59)
    assert machine.do("read")["readings"] == [], "initialising costs too much to try at each look"
    machine.do("later", seconds=1)
    assert machine.reading()["utilization"] == 40
    assert machine.do("read")["problem"] is None


def test_a_driver_without_a_device(machine: StubbedMachine) -> None:
    machine.set({"devices": 0})
    assert machine.do("read") == {"readings": [], "problem": "the driver knows no device"}


@pytest.mark.parametrize("code", [GPU_IS_LOST, 6, 16, 28])
def test_a_device_that_is_lost_takes_no_other_with_it(machine: StubbedMachine, code: int) -> None:
    second = {key.replace("gpu0", "gpu1"): value for key, value in ONE_GPU.items()}
    two = {**second, **ONE_GPU, "gpu1.uuid": "GPU-1", "devices": 2}
    machine.set(two)
    assert [each["is_lost"] for each in machine.do("read")["readings"]] == [False, False]
    machine.set({**two, "gpu0.utilization.error": code})
    for _ in range(3):
        lost, kept = machine.do("read")["readings"]
        assert lost["is_lost"]
        assert lost["uuid"] == "GPU-0"
        assert all(lost[name] is None for name in MEASURED), "nothing it still tells is believed"
        assert all(f"(code {code})" in lost["unread"][name] for name in MEASURED)
        assert kept["utilization"] == 40
        machine.do("later", seconds=70)


def test_a_driver_that_is_reloaded_is_opened_anew(machine: StubbedMachine) -> None:
    assert machine.reading()["utilization"] == 40
    machine.set({**ONE_GPU, "driver.error": DRIVER_NOT_LOADED, "init.error": DRIVER_NOT_LOADED})
    assert machine.reading()["is_lost"]
    machine.do("later", seconds=60)
    answer = machine.do("read")
    assert answer["readings"] == []
    assert f"(code {DRIVER_NOT_LOADED})" in answer["problem"]
    machine.set({**ONE_GPU, "gpu0.uuid": "GPU-new"})
    machine.do("later", seconds=60)
    assert machine.reading()["uuid"] == "GPU-new"


def test_mig_instances_are_read_each_and_their_utilization_is_not_told(
    machine: StubbedMachine,
) -> None:
    machine.set(
        {
            **ONE_GPU,
            "gpu0.mig": 3,
            "gpu0.utilization.error": 3,
            "gpu0mig0.uuid": "MIG-a",
            "gpu0mig0.name": "Stub 80GB MIG 1g.10gb",
            "gpu0mig0.memory": "1000000000:10000000000",
            "gpu0mig0.compute": "7:900000000",
            "gpu0mig2.uuid": "MIG-c",
            "gpu0mig2.name": "Stub 80GB MIG 1g.10gb",
            "gpu0mig2.memory": "0:10000000000",
            "gpu0mig2.compute": "",
        }
    )
    readings = machine.do("read")["readings"]
    assert [each["index"] for each in readings] == ["0.0", "0.2"], "the second place is empty"
    for reading in readings:
        assert reading["is_mig"]
        assert reading["utilization"] is None
        assert reading["unread"]["utilization"].startswith("not told of a MIG instance")
        assert reading["memory_total_mb"] == 10_000
    assert readings[0]["processes"][0]["memory_used_mb"] == 900


def test_it_may_be_opened_and_closed_again_and_again(machine: StubbedMachine) -> None:
    for _ in range(3):
        assert machine.do("open_monitor") is None
        assert machine.do("open_monitor") is None
        assert machine.reading()["utilization"] == 40
        assert machine.do("close_monitor") == "NVML was closed"
    assert machine.reading()["utilization"] == 40


def test_an_old_driver_lacks_newer_calls(tmp_path: Path) -> None:
    machine = StubbedMachine(tmp_path, compiled_stub(tmp_path, "-DOLD_DRIVER"))
    try:
        machine.set({**ONE_GPU, "gpu0.compute": "7:2500000000"})
        reading = machine.reading()
    finally:
        machine.close()
    assert reading["memory_total_mb"] == 80_000
    assert reading["processes"][0]["memory_used_mb"] == 2500
    assert set(reading["unread"]) == {"process_utilization"}


@pytest.mark.skipif(find_library("nvidia-ml") is not None, reason="this machine has a driver")
def test_a_machine_without_the_library_has_a_problem_and_no_device(tmp_path: Path) -> None:
    machine = StubbedMachine(tmp_path, None)
    try:
        first = machine.do("read")
    finally:
        machine.close()
    assert first["readings"] == []
    assert f"(code {LIBRARY_NOT_FOUND})" in first["problem"]
