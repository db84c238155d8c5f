"""Pictures that ``local`` made because their provider was down, and whether it is back.

Such a picture is no answer (docs/decisions/0014): when the provider is back it is asked for again,
once. Belongs here: which pictures these are, and what is known of a provider without asking it.
Does not belong here: asking it (``reachability``), money (``budget``), starting a run (``defs``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from animatize_assets.generation.failures import RULES, Verdict
from animatize_assets.generation.health import HealthBoard, ProviderHealth
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.request_log import RequestLog
from animatize_assets.images.artifacts import ArtifactStore

OFFERED_WITHIN = timedelta(days=7)
"""What fell back longer ago is left as it is: a person has seen it by now."""

MOST_WAITING = 1_000
"""Pictures that one look reads of, the oldest first."""

OF_THE_PROVIDER = frozenset(
    kind for kind, rule in RULES.items() if rule.verdict is not Verdict.GOOD
)
"""Kinds of failure that say something of the provider. The others say it of the request (refused
content, say), which would fail in the same way again."""


@dataclass(frozen=True)
class WaitingPicture:
    """A picture to be asked for again."""

    request_id: int
    """Its row in the log of requests."""
    image_key: str
    provider: str
    """The one that was asked for."""
    fell_back_at: datetime
    run_id: str | None
    request: Mapping[str, JsonValue]
    """What was asked of the pipeline."""


def waiting_pictures(
    log: RequestLog, artifacts: ArtifactStore, there: Collection[str], *, now: datetime
) -> list[WaitingPicture]:
    """Return what fell back to ``local`` because its provider was down, the oldest first.

    ``there``: keys of the images that can be made; archived ones cannot.
    """
    found = []
    for past in log.fallen_back(since=now - OFFERED_WITHIN)[:MOST_WAITING]:
        asked = past.asked
        if asked.image_key not in there:
            continue
        picture = artifacts.current("generated_picture", asked.image_key, PictureRecord)
        if picture is None or not was_down(picture, asked.provider):
            continue
        found.append(
            WaitingPicture(
                request_id=past.request_id,
                image_key=asked.image_key,
                provider=asked.provider,
                fell_back_at=past.requested_at,
                run_id=asked.run_id,
                request=picture.request,
            )
        )
    return found


def was_down(picture: PictureRecord, provider: str) -> bool:
    """Whether ``picture`` is by ``local`` because of what ailed ``provider``."""
    if picture.asked_provider != provider or picture.provider != "local" or provider == "local":
        return False
    reasons = [each.reason for each in picture.attempts if each.provider == provider]
    return bool(reasons) and reasons[-1] in OF_THE_PROVIDER


def is_known_to_be_back(
    provider: str, log: RequestLog, health: HealthBoard, *, since: datetime
) -> bool:
    """Whether ``provider`` has shown after ``since`` that it works.

    It made a picture, or a probe has closed its circuit breaker. That nothing is known says
    nothing: the process whose breaker was open may have ended.
    """
    closed = any(
        seen.provider == provider and seen.state == "closed" and seen.changed_at > since
        for seen in health.read()
    )
    return closed or log.has_made(provider, since=since)


def breakers_in_effect(log: RequestLog, health: HealthBoard) -> tuple[ProviderHealth, ...]:
    """Return every breaker as last seen; one that is not closed is, once its provider delivered.

    The process that opened it may have ended, and then nobody closes it: with the key mended, the
    next process begins with a closed one and has nothing to tell.
    """
    return tuple(
        replace(seen, state="closed", failures=0, reason=None, opened_at=None)
        if seen.state != "closed" and log.has_made(seen.provider, since=seen.changed_at)
        else seen
        for seen in health.read()
    )
