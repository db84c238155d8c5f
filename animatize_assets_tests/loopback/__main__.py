"""Runs a server until its standard input ends; prints where its hosts are, as one JSON line.

python -m animatize_assets_tests.loopback [--port N] [--state FILE] [--options JSON]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from animatize_assets_tests.loopback.faults import Rates
from animatize_assets_tests.loopback.server import LoopbackServer
from animatize_assets_tests.loopback.world import Delay, World


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the first of seven; 0: any")
    parser.add_argument("--state", type=Path, help="file for the bill, a JSON line per charge")
    parser.add_argument("--options", default="{}", help="faults, delays, seed, time_scale, ...")
    arguments = parser.parse_args()
    told: dict[str, Any] = json.loads(arguments.options)
    world = World(
        rates=Rates(**told.pop("faults", {})),
        delays={name: Delay(**delay) for name, delay in told.pop("delays", {}).items()},
        state_file=arguments.state,
        keep_bodies=False,
        **told,
    )
    with LoopbackServer(world, first_port=arguments.port):
        sys.stdout.write(json.dumps(world.urls) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
