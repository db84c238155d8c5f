"""What traces and metrics cost the pipeline: on, and sent by OTLP, against off.

Two processes that are alike but for the address of a receiver bring the same images through all
six stages (local pictures, clips of 5 s), taking turns. Each turn is one run of new images, with
everything sent at its end. The receiver answers at once; it is part of neither side. CPU is that
of the whole process, so the threads that send are counted. Each ratio is the median over the turns
of the two sides' ratio in the same turn: both meet the same machine. The bounds of that median are
told, too (order statistics; Conover, Practical Nonparametric Statistics, 1999, section 3.2); a busy
machine makes them wide. The few turns of --quick meet or miss the goal only where both bounds do;
else they decide nothing and say so.

    python benchmarks/telemetry.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import project  # noqa: F401  # isort: skip - puts the tests' receiver on the path
from report import Measurement, finish, measure

from animatize_assets_tests.loopback.otlp import OtlpReceiver, otlp_receiver

WORKER = Path(__file__).with_name("telemetry_worker.py")
"""What each side executes."""

OVERHEAD_GOAL = 1.02
STAGES = 6


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    turns: int
    images: int

    decides: bool
    """Whether the median itself is held against the goal."""


FULL = Size(turns=41, images=1, decides=True)
QUICK = Size(turns=15, images=1, decides=False)


class Worker:
    """One side: a process that is opened once and does a turn when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.begin_s = self._told()["begin_s"]
        """Seconds of CPU until it could log, trace and count: loading the SDK, or not."""

    def turn(self, number: int, images: int) -> Mapping[str, float]:
        """Bring so many new images through; returns seconds of CPU and by the clock."""
        assert self._process.stdin is not None  # noqa: S101  # opened as a pipe
        self._process.stdin.write(json.dumps({"turn": number, "images": images}) + "\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> Mapping[str, float]:
        assert self._process.stdout is not None  # noqa: S101  # opened as a pipe
        told: Mapping[str, float] = json.loads(self._process.stdout.readline())
        return told


def main() -> int:
    """Measure both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns; under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        received = opened.enter_context(otlp_receiver())
        on = opened.enter_context(worker(folder / "on", received.url))
        off = opened.enter_context(worker(folder / "off", None))
        rows = measurements(on, off, received, size)
    return finish("telemetry", rows, as_json=options.json)


def measurements(on: Worker, off: Worker, received: OtlpReceiver, size: Size) -> list[Measurement]:
    """Let the sides take turns, each going first as often as the other."""
    sides: dict[str, list[Mapping[str, float]]] = {"on": [], "off": []}
    for number in range(size.turns + 1):
        order = [("on", on), ("off", off)]
        for name, side in order if number % 2 else reversed(order):
            sides[name].append(side.turn(number, size.images))
    pairs = list(zip(sides["on"], sides["off"], strict=True))[1:]  # the first turn warms up
    spans = len(received.spans) / (size.turns + 1) / size.images
    if spans < STAGES:
        raise SystemExit(f"Only {spans:.1f} spans per image were sent: nothing was measured.")
    rows = _rows("CPU", "cpu_s", pairs, size, goal=OVERHEAD_GOAL)
    # By the clock the two also meet whatever else the machine does.
    rows += _rows("time", "wall_s", pairs, size, goal=None)
    begun = measure("CPU of loading the SDK, once per process", on.begin_s, "s")
    return [*rows, begun, measure("spans sent per image", spans, "")]


def _rows(
    name: str,
    key: str,
    pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
    size: Size,
    *,
    goal: float | None,
) -> list[Measurement]:
    with_s, without_s = (
        statistics.median(pair[side][key] for pair in pairs) / size.images for side in (0, 1)
    )
    ratios = [on[key] / off[key] for on, off in pairs]
    ratio, (low, high) = statistics.median(ratios), median_bounds(ratios)
    told, met = None, None
    if goal is not None:
        is_decided = size.decides or not low <= goal < high
        told = f"ratio at most {goal:g}{'' if is_decided else ': not decided'}"
        met = ratio <= goal if is_decided else None
    whole = f"{name} per image with telemetry, median of {size.turns} turns"
    return [
        Measurement(whole, with_s, "s", without_s, ratio, told, met),
        measure(f"{name}: lower bound of that ratio (95 %)", low, ""),
        measure(f"{name}: upper bound of that ratio (95 %)", high, ""),
    ]


def median_bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return between what the median of independent values is, at 95 % or a little more."""
    from scipy.stats import binom  # after the measuring

    ordered = sorted(values)
    place = max(1, int(binom.ppf(0.025, len(ordered), 0.5)))
    return ordered[place - 1], ordered[-place]


@contextmanager
def worker(data_dir: Path, endpoint: str | None) -> Iterator[Worker]:
    """Open one side; ``endpoint``: where it sends its telemetry, None: nowhere."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANIMATIZE_", "DAGSTER_", "OTEL_"))
    }
    environment["ANIMATIZE_DATA_DIR"] = str(data_dir)
    if endpoint is not None:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    with subprocess.Popen(
        [sys.executable, WORKER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Worker(process)
        assert process.stdin is not None  # noqa: S101  # opened as a pipe
        process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
