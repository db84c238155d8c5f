"""The same frames are the same bytes, whatever lies in the memory that the encoder is given.

It guards against x264's code for AVX-512, so it can fail only on a processor that has that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENCODE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from animatize_assets.animatic.encoding import encode_mp4
target, size = Path(sys.argv[1]), int(sys.argv[2])
planes = np.random.default_rng(5).integers(16, 236, (size * 3 // 2, size), np.uint8)
planes[:size] = np.linspace(20, 200, size)[:, None] + np.sin(np.arange(size) / 9)[None] * 12
frames = (np.roll(planes, 3 * number, axis=1) for number in range(48))
encode_mp4(frames, target, width=size, height=size, fps=24, comment="{}")
print(hashlib.sha256(target.read_bytes()).hexdigest())
"""


def encoded(target: Path, size: int, fresh_memory: int) -> str:
    """Encode in a process whose fresh memory glibc fills by ``fresh_memory``."""
    environment = {**os.environ, "MALLOC_PERTURB_": str(fresh_memory)}
    command = [sys.executable, "-c", ENCODE, str(target), str(size)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("size", [288, 400])
def test_what_fresh_memory_holds_does_not_change_the_bytes(tmp_path: Path, size: int) -> None:
    results = {encoded(tmp_path / "clip.mp4", size, byte) for byte in (0, 1, 2)}
    assert len(results) == 1
