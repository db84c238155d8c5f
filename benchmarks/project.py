"""Lets benchmarks use the loopback server, which lives with the tests.

Import it first. Belongs here: the path. Does not belong here: anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
