"""What a person may set about generation: providers, fallbacks, money, caches.

Belongs here: those settings as plain arguments, and what is missing from them. Does not belong
here: environment variables (``settings``), opening anything (``source_opening``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from animatize_assets.errors import InvalidSetting
from animatize_assets.images.disk_space import UNLIMITED, DiskSpace

PAID = ("openai", "flux", "imagen", "comfyui")
"""Providers that need something to be set up; ``local`` needs nothing."""

KEY_VARIABLES = {
    "openai": "ANIMATIZE_OPENAI_API_KEY (or OPENAI_API_KEY)",
    "flux": "ANIMATIZE_FLUX_API_KEY (or BFL_API_KEY)",
    "imagen": "ANIMATIZE_IMAGEN_API_KEY (or GEMINI_API_KEY)",
    "comfyui": "ANIMATIZE_COMFYUI_URL and ANIMATIZE_COMFYUI_WORKFLOW",
}
"""What switches each provider on."""


@dataclass(frozen=True)
class ProviderSetup:
    """How to reach one provider; a provider without its key or address is not configured."""

    api_key: SecretStr | None = None
    base_url: str | None = None
    model: str | None = None
    """None: the catalogue's default."""
    workflow: Path | None = None
    """Only of ComfyUI."""


@dataclass(frozen=True)
class GenerationSetup:
    """Everything that a person may set about generation. The defaults need nothing.

    Raises:
        InvalidSetting: a provider is named that there is not, or an amount that is none. A
            misspelt name would be a fallback or a budget that silently is not there.
    """

    providers: Mapping[str, ProviderSetup] = field(default_factory=dict)
    enabled: tuple[str, ...] = ("local", *PAID)
    fallback: tuple[str, ...] = ()
    fallback_to_local: bool = True
    share_refused: bool = False
    max_attempts: int = 8
    deadline_s: float = 900
    budget_run_usd: float | None = 10
    budget_day_usd: float | None = 25
    budget_provider_day_usd: Mapping[str, float] = field(default_factory=dict)
    expansion_model: str = "gpt-6.1-sol"
    expansion_draft_model: str = "gpt-6-luna"
    semantic_reuse: Literal["exact", "canonical", "similar"] = "canonical"
    similarity: float = 0.95
    shadow_share: float = 0.0
    """Share of reused pictures, 0..1, that are made (and paid for) after all, to compare."""
    sentence_model: Path | None = None
    results_ttl_s: float = 7 * 86_400
    results_max_bytes: int = 10_000_000_000
    disk: DiskSpace = UNLIMITED
    """Where nothing is begun, and nothing paid, while there is too little room."""

    def __post_init__(self) -> None:
        _known("ANIMATIZE_FALLBACK", self.fallback)
        _known("ANIMATIZE_BUDGET_PROVIDER_DAY_USD", self.budget_provider_day_usd)
        _known("The resource field 'enabled'", self.enabled)
        for name, usd in self.budget_provider_day_usd.items():
            if not (math.isfinite(usd) and usd >= 0):
                raise InvalidSetting(
                    f"ANIMATIZE_BUDGET_PROVIDER_DAY_USD gives {name} {usd}; give 0 dollars or more."
                )
        if not 0 <= self.shadow_share <= 1:
            raise InvalidSetting(f"A shadow share of {self.shadow_share} is no share of 0 to 1.")

    def changed(self, **changes: Any) -> GenerationSetup:
        """Return this with some fields replaced."""
        return replace(self, **changes)

    def order(self, asked: str) -> tuple[str, ...]:
        """Return the providers to ask for a picture of ``asked``, one after the other.

        ``local`` ends the list wherever it is named: nothing after it would ever be asked.
        """
        if asked == "local":
            return ("local",)
        ends_local = self.fallback_to_local or "local" in self.fallback
        others = (name for name in self.fallback if name in self.enabled and name != "local")
        ends = ("local",) if ends_local and "local" in self.enabled else ()
        return tuple(dict.fromkeys((asked, *others, *ends)))


def _known(setting: str, names: Iterable[str]) -> None:
    there = ("local", *PAID)
    if unknown := [name for name in names if name not in there]:
        raise InvalidSetting(
            f"{setting} names '{unknown[0]}', which is no provider; there are: {', '.join(there)}."
        )


def missing(name: str, setup: ProviderSetup) -> str | None:
    """Say what keeps the provider ``name`` from being used; None when nothing does."""
    if name == "local":
        return None
    there = setup.base_url and setup.workflow if name == "comfyui" else setup.api_key
    return None if there else f"set {KEY_VARIABLES[name]}"


ONLY_LOCAL = GenerationSetup(enabled=("local",))
"""Nothing but the provider that needs nothing."""
