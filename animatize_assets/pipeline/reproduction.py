"""Making everything of an image again, without any cache, and saying what came out equal.

Belongs here: the comparison. Does not belong here: the stages. The work is done in an empty
artefact store of its own, so nothing that is kept is read or touched.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.prices import Free
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, StageOutcome, run_stages
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record

if TYPE_CHECKING:
    from animatize_assets.pipeline.workshop import Workshop

NOT_OF_THE_RESULT = {
    *("attempts", "cost_usd", "usage", "reuse", "prompt", "expansion"),
    *("registered_at", "original_name", "aliases"),
}
"""Fields of a record that tell when and how it came about, not what it is."""


class StageComparison(Record):
    """How one stage came out the second time."""

    stage: str
    verdict: Literal["equal", "differs", "not_made", "not_repeated"]
    differs: tuple[str, ...] = ()
    """Fields of the record, and files, that are not the same."""
    reason: str | None = None


def reproduce(workshop: Workshop, image_key: str, *, paid: bool) -> Iterator[StageComparison]:
    """Make the stages of ``image_key`` again, as they were asked for, and compare each.

    ``paid``: whether anyone who takes money may be asked again. Without it an expanded prompt is
    taken as it is, and a picture is asked of free providers alone, be it as a fallback.

    Raises:
        ImageNotFound: no image has this key.
        StorageFailed: the image has no picture that says what was asked for.
    """
    workshop.images.get(image_key)
    kept = workshop.artifacts
    picture = kept.current("generated_picture", image_key, PictureRecord)
    if picture is None:
        raise StorageFailed(f"{image_key} has no generated_picture yet; run it first.")
    request = PipelineRequest.model_validate(picture.request)
    left_out = {} if paid else _what_costs(workshop, request)
    with tempfile.TemporaryDirectory(prefix="animatize-") as folder:
        pictures = workshop.pictures.without_caches()
        if not paid:
            pictures = pictures.among(lambda name: not _takes_money(workshop, name))
        fresh = replace(
            workshop,
            artifacts=ArtifactStore(UPath(folder)),
            pictures=pictures,
            expansions=workshop.expansions and workshop.expansions.without_caches(),
        )
        if "motion_prompt" in left_out:
            _take_over(kept, fresh.artifacts, "motion_prompt", image_key)
        stages = [stage for stage in STAGES if stage not in left_out]
        for outcome in run_stages(fresh, image_key, request, stages):
            yield _compared(outcome, workshop, fresh)
    for stage, reason in left_out.items():
        yield StageComparison(stage=stage, verdict="not_repeated", reason=reason)


def _what_costs(workshop: Workshop, request: PipelineRequest) -> dict[str, str]:
    """Stage that cannot be made again without paying -> why, as a sentence."""
    reasons: dict[str, str] = {}
    if request.expand != "off":
        reasons["motion_prompt"] = "A language model takes money; --paid asks it again."
    if _takes_money(workshop, request.provider):
        reasons["generated_picture"] = f"{request.provider} takes money; --paid asks it again."
    return reasons


def _takes_money(workshop: Workshop, name: str) -> bool:
    """Whether a call to the provider ``name`` may cost anything, by the catalogue's price.

    What this one picture cost does not tell: it may have been reused, or made by a fallback.
    """
    provider = workshop.pictures.providers.get(name)
    if name == "local" or provider is None:
        return False
    catalogue = load_catalogue()
    # ComfyUI's model is the user's workflow, which no catalogue lists
    model = catalogue.models.get(f"{name}/{provider.model}") or catalogue.default(name)
    return not isinstance(model.price, Free)


def _take_over(kept: ArtifactStore, fresh: ArtifactStore, stage: str, image_key: str) -> None:
    """Let what is kept of a stage that is not repeated stand for it."""
    record = kept.current(stage, image_key, MotionPrompt)
    fingerprint = kept.current_fingerprint(stage, image_key)
    if record is None or fingerprint is None:
        raise StorageFailed(f"{image_key} has no {stage} any more; run it first.")
    with fresh.draft(stage, image_key, fingerprint) as draft:
        draft.commit(record)


def _compared(outcome: StageOutcome, before: Workshop, now: Workshop) -> StageComparison:
    stage, image_key = outcome.stage, outcome.image_key
    if outcome.record is None or outcome.fingerprint is None:
        reason = outcome.error.reason if outcome.error else None
        return StageComparison(stage=stage, verdict="not_made", reason=reason)
    kept = before.artifacts.current(stage, image_key, type(outcome.record))
    fingerprint = before.artifacts.current_fingerprint(stage, image_key)
    if kept is None or fingerprint is None:
        return StageComparison(stage=stage, verdict="differs", reason="It was not there before.")
    differing = _differing(kept, outcome.record)
    old = _files(before.artifacts, stage, image_key, fingerprint)
    new = _files(now.artifacts, stage, image_key, outcome.fingerprint)
    differing += [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    reason = None
    if differing and isinstance(outcome.record, PictureRecord) and not outcome.record.reproducible:
        reason = f"{outcome.record.provider} does not give the same picture twice."
    elif differing and fingerprint != outcome.fingerprint:
        reason = "Code, rules, templates or inputs have changed since."
    return StageComparison(
        stage=stage,
        verdict="differs" if differing else "equal",
        differs=tuple(differing),
        reason=reason,
    )


def _differing(kept: Record, made: Record) -> list[str]:
    one, other = _comparable(kept), _comparable(made)
    return [name for name in one if one[name] != other[name]]


def _comparable(record: Record) -> dict[str, Any]:
    """Return what a record says, without paths, which name the fingerprint."""
    content = record.model_dump(mode="json", exclude=NOT_OF_THE_RESULT)
    return {name: value for name, value in content.items() if not _is_place(name)}


def _is_place(name: str) -> bool:
    return name == "path" or name.endswith("_path") or name == "arrays"


def _files(
    artifacts: ArtifactStore, stage: str, image_key: str, fingerprint: str
) -> dict[str, str]:
    """File name -> SHA-256 of everything stored beside a record."""
    folder = artifacts.upath(f"artifacts/{stage}/{image_key}/{fingerprint}")
    return {
        Path(file.path).name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "record.json"
    }
