"""What the providers charge, and the bill they would send.

Belongs here: prices as providers publish them, and one line per billed call. Does not belong here:
our catalogue, which is compared with this and therefore shares nothing with it.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

NANO = 1_000_000_000
PER_MILLION = NANO // 1_000_000

TEXT_PRICES: Mapping[str, tuple[float, float, float]] = {
    # USD per 1M tokens: input, cached input, output
    "gpt-6-astra": (10.00, 1.00, 50.00),
    "gpt-6.1-sol": (2.00, 0.10, 10.00),
    "gpt-6-sol": (2.00, 0.20, 10.00),
    "gpt-6.1-terra": (1.00, 0.05, 5.00),
    "gpt-6-luna": (0.10, 0.01, 0.50),
    "gpt-5.6-sol": (4.00, 0.40, 20.00),
    "gpt-5.6-terra": (2.00, 0.20, 12.00),
    "gpt-5.6-luna": (0.20, 0.02, 1.20),
    "gpt-5.5": (5.00, 0.50, 30.00),
    "gpt-5.4": (2.50, 0.25, 15.00),
    "gpt-5.4-mini": (0.75, 0.075, 4.50),
    "gpt-5.4-nano": (0.20, 0.02, 1.25),
    "gpt-5": (1.25, 0.125, 10.00),
    "gpt-5-mini": (0.25, 0.025, 2.00),
    "gpt-5-nano": (0.05, 0.005, 0.40),
    "gpt-4.1": (2.00, 0.50, 8.00),
    "gpt-4.1-mini": (0.40, 0.10, 1.60),
    "gpt-4o": (2.50, 1.25, 10.00),
    "gpt-4o-mini": (0.15, 0.075, 0.60),
}

IMAGE_TOKEN_PRICES: Mapping[str, tuple[float, float, float]] = {
    # USD per 1M tokens: text in, image in, image out
    "gpt-image-2": (5.00, 8.00, 30.00),
    "gpt-image-2.5-flare": (5.00, 8.00, 30.00),
    "gpt-image-2.5-sunburst": (5.00, 8.00, 30.00),
    "gpt-image-2.6-flare": (5.00, 8.00, 30.00),
    "gpt-image-2.6-sunburst": (5.00, 8.00, 30.00),
    "gpt-image-1.5": (5.00, 8.00, 32.00),
    "gpt-image-1-mini": (2.00, 2.50, 8.00),
}

IMAGE_OUTPUT_TOKENS = {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}
"""Of a picture of 1024x1024 px; other sizes in proportion to their area."""

FLUX_PRICES: Mapping[str, tuple[float, float]] = {
    # USD: the first megapixel (or the picture), each further one
    "flux-pro-1.1": (0.04, 0.0),
    "flux-pro-1.1-ultra": (0.06, 0.0),
    "flux-dev": (0.025, 0.0),
    "flux-kontext-pro": (0.04, 0.0),
    "flux-kontext-max": (0.08, 0.0),
    "flux-pro-1.0-fill": (0.05, 0.0),
    "flux-pro-1.0-expand": (0.05, 0.0),
    "flux-2-pro": (0.03, 0.015),
    "flux-2-max": (0.07, 0.03),
    "flux-2-flex": (0.05, 0.05),
    "flux-2-klein-4b": (0.014, 0.001),
    "flux-2-klein-9b": (0.015, 0.002),
}

GEMINI_PRICES: Mapping[str, tuple[float, float, float]] = {
    # USD per 1M tokens: text in, text out, image out
    "gemini-nano-banana-2.1": (1.50, 7.50, 30.00),
    "gemini-3-pro-image": (2.00, 12.00, 120.00),
}


def tokens_cost(*parts: tuple[int, float]) -> int:
    """Sum tokens at their prices per million, in nano-USD."""
    return sum(round(tokens * usd_per_million * PER_MILLION) for tokens, usd_per_million in parts)


@dataclass(frozen=True)
class Charge:
    """One billed call."""

    call: int
    provider: str
    model: str
    cost_nanousd: int
    remote_id: str
    """The provider's id of the work: a task, a prompt, a batch line or the answer's request id."""
    about: str
    """The prompt, by which a test knows its request again."""
    at: float
    """Seconds since the epoch."""


class Bill:
    """Every charge, in the order of billing; with a file, each is on the disk at once."""

    def __init__(self, file: Path | None = None) -> None:
        self._charges: list[Charge] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._file = file

    def charge(
        self, provider: str, model: str, cost_nanousd: int, *, remote_id: str, about: str
    ) -> Charge:
        """Add a line."""
        with self._lock:
            line = Charge(
                next(self._numbers), provider, model, cost_nanousd, remote_id, about, time.time()
            )
            self._charges.append(line)
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(line)) + "\n")
                    lines.flush()
                    os.fsync(lines.fileno())
        return line

    def charges(self, provider: str | None = None) -> list[Charge]:
        """Return the lines, of one provider or of all."""
        with self._lock:
            return [line for line in self._charges if provider in (None, line.provider)]

    def total_nanousd(self, provider: str | None = None) -> int:
        """Return the sum."""
        return sum(line.cost_nanousd for line in self.charges(provider))

    def total_usd(self, provider: str | None = None) -> float:
        """Return the sum in dollars."""
        return self.total_nanousd(provider) / NANO


def read_bill(file: Path) -> list[Charge]:
    """Read the bill that a server left on the disk."""
    if not file.exists():
        return []
    return [Charge(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
