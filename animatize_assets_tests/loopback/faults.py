"""How the server is told to fail, and how it decides.

Belongs here: the vocabulary of faults, their rates and their scripts. Does not belong here: what a
protocol makes of one.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

BEFORE = {
    "rate_limited": "429 of the family that passes; nothing was done",
    "quota": "429 (or 402) of the family that does not pass",
    "server_error": "500, 503 or 529; nothing was done",
    "html_error": "500 with a page of HTML",
    "html": "200 with a page of HTML",
    "empty_json": "200 with {}",
    "null": "200 with null",
    "not_json": "200 with a body that breaks off, of its stated length",
    "hang_before": "no answer, and nothing was done",
    "drop_before": "the connection ends, and nothing was done",
    "status": "the fault's own status, headers and body",
}
"""Faults for which no work is done and nothing is billed."""

AFTER = {
    "hang_after": "the work is done and billed, and no answer comes",
    "drop_after": "the work is done and billed, and the connection ends",
    "truncated": "the work is done and billed, and the answer breaks off",
}
"""Faults that lose the answer to billed work."""

CONTENT = {
    "refused": "the provider will not make this picture",
    "not_an_image": "bytes that are no picture",
    "mislabelled": "JPEG bytes under the name of PNG, or the other way round",
    "blank": "a picture on which nothing is to be seen",
    "huge": "a picture of more than 50 MB",
    "bomb": "a small file that declares 900 million pixels",
    "wrong_size": "a picture of another size than asked",
    "empty": "an answer without any picture",
    "text_only": "Gemini: words instead of a picture",
    "two_candidates": "Gemini: one refused candidate before the good one",
    "task_error": "Flux: the task ends in Error",
    "task_lost": "Flux: the task is not found when it is asked for",
    "unknown_status": "Flux: a status that nobody has heard of, then Ready",
    "expired": "Flux: the address of the picture has expired",
    "execution_error": "ComfyUI: a node raises",
    "ws_loss": "ComfyUI: the websocket closes in the middle of the run",
    "lost": "ComfyUI: the prompt is forgotten, as after a restart",
}
"""Faults in the answer itself; only some protocols know each."""


@dataclass(frozen=True)
class Fault:
    """One failure. ``kind`` is a key of :data:`BEFORE`, :data:`AFTER` or :data:`CONTENT`."""

    kind: str
    status: int | None = None
    code: str | None = None
    """Error code, terminal status, block or finish reason; None: the protocol's usual one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang_s: float | None = None
    """Virtual seconds until a hanging connection is closed; None: the server's usual time."""

    def __post_init__(self) -> None:
        if self.kind not in {**BEFORE, **AFTER, **CONTENT}:
            raise ValueError(f"'{self.kind}' is no fault; see BEFORE, AFTER and CONTENT.")


@dataclass(frozen=True)
class Rates:
    """Share of the billable calls that meets each fault; the rest goes well."""

    rate_limited: float = 0.0
    server_error: float = 0.0
    hang_before: float = 0.0
    hang_after: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    truncated: float = 0.0
    html: float = 0.0
    refused: float = 0.0
    not_an_image: float = 0.0
    mislabelled: float = 0.0
    blank: float = 0.0
    wrong_size: float = 0.0
    empty: float = 0.0
    expired: float = 0.0
    ws_loss: float = 0.0
    lost: float = 0.0

    def __post_init__(self) -> None:
        if sum(getattr(self, each.name) for each in fields(self)) > 1:
            raise ValueError("The rates of all faults add up to more than 1.")

    def pick(self, dice: random.Random) -> Fault | None:
        """Throw once."""
        thrown = dice.random()
        for each in fields(self):
            thrown -= getattr(self, each.name)
            if thrown < 0:
                return Fault(each.name)
        return None


class FaultPlan:
    """Decides each call's fault: what was scripted for its route first, then by rate."""

    def __init__(self, rates: Rates | Mapping[str, Rates], seed: int) -> None:
        self._rates = rates
        self._dice: dict[str, random.Random] = {}
        self._seed = seed
        self._scripts: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._lock = threading.Lock()

    def script(self, route: str, *faults: Fault | None) -> None:
        """Give the next calls of ``route`` these faults, in order; None lets one go well."""
        with self._lock:
            self._scripts[route].extend(faults)

    def forget(self) -> None:
        """Take back every script that no call has met yet."""
        with self._lock:
            self._scripts.clear()

    def set_rates(self, rates: Rates | Mapping[str, Rates]) -> None:
        """From now on."""
        with self._lock:
            self._rates = rates

    def next(self, provider: str, route: str, *, billable: bool) -> Fault | None:
        """Decide the fault of a call that has arrived."""
        with self._lock:
            if self._scripts[route]:
                return self._scripts[route].popleft()
            if not billable:
                return None
            rates = self._rates if isinstance(self._rates, Rates) else self._rates.get(provider)
            # Dice of its own per provider: what one meets does not hang on the others' traffic.
            dice = self._dice.setdefault(provider, random.Random(f"{self._seed}-{provider}"))
            return rates.pick(dice) if rates else None

    def throw(self, provider: str) -> float:
        """Return the next number in 0..1 of a provider's dice."""
        with self._lock:
            dice = self._dice.setdefault(provider, random.Random(f"{self._seed}-{provider}"))
            return dice.random()
