"""Time for tests: waiting takes next to no time, and the clock goes on as if it had."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class QuickTime:
    """A clock and a sleep that belong together; what was waited for is kept."""

    now_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        await asyncio.sleep(0.005)  # a server in another thread gets its turn
        self.now_s += seconds
