"""The command line in this process: arguments in; exit code, standard output and error out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from animatize_assets.cli.entry import execute


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as one JSON document; more than one, or anything else, fails."""
        return json.loads(self.out)


Animatize = Callable[..., Answer]


@pytest.fixture
def animatize(capsys: pytest.CaptureFixture[str]) -> Animatize:
    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = execute([str(argument) for argument in arguments])
        heard = capsys.readouterr()
        return Answer(code, heard.out, heard.err)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small PNG; another ``seed`` is another image."""

    def write(name: str = "some picture.png", *, seed: int = 0) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
        path = tmp_path / name
        Image.fromarray(pixels).save(path, "PNG")
        return path

    return write


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
