"""How well the time of a job is told beforehand, next to simpler ways to tell it.

    python benchmarks/prediction.py --data DIR [--json] [--quick] [--clips] [--postgres URL]

``DIR`` holds the public timings (``public_timings.py``); without it their goals are "not measured".
Everything goes through the product's own records, database, encoder and training. Three parts:

* (a) the simulated fleet with a known noise floor (``prediction_fleet.py``);
* (b) public timings (``prediction_public.py``): parameter combinations that were not seen, by
  repeated grouped splits, and a replay in time order;
* (c) clips rendered here (``prediction_clips.py``), with ``--clips``, as it takes minutes.

``--quick``: one split of each file, a short replay. ``--postgres``: an empty database instead of
SQLite, or ``auto``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from performance_database import add_postgres_option, opened_store
from prediction_clips import measure_clips
from prediction_fleet import measure_fleet
from prediction_public import one_thread_a_process, public_rows
from prediction_speed import speed_rows
from report import Measurement, finish


def main() -> int:
    """Measure, print, and say by the exit code whether a measured goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the public timings")
    parser.add_argument("--clips", action="store_true", help="render clips, too: minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one split of each file")
    add_postgres_option(parser)
    options = parser.parse_args()
    one_thread_a_process()
    with opened_store(options.postgres) as store:
        rows: list[Measurement] = [
            *measure_fleet(store, quick=options.quick),
            *public_rows(options.data, store, quick=options.quick),
            *speed_rows(store),
        ]
        if options.clips:
            rows += measure_clips(store, quick=options.quick)
    return finish("prediction", rows, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
