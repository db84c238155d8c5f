"""What more than one command prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from animatize_assets.movement.models import MovementPrediction

if TYPE_CHECKING:  # `show` and `analyze` do without Dagster
    from animatize_assets.orchestration import PipelineRunResult
    from animatize_assets.workplace.stored import StoredImage


def facts(title: str, rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Lay out a titled list of named facts."""
    table = Table(
        title=Text(title), title_justify="left", show_header=False, box=None, pad_edge=False
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in rows:
        table.add_row(name, Text(fact))
    return table


def movement_facts(prediction: MovementPrediction) -> list[tuple[str, str]]:
    """Name each movement with its confidence and justification, best first."""
    rows: list[tuple[str, str]] = []
    for movement in prediction.movements:
        what = f"{movement.name} ({movement.confidence:.2f})"
        rows.append((movement.category, f"{what}: {movement.justification}"))
    return rows


def run_table(result: PipelineRunResult) -> RenderableType:
    """Lay out one row per image of a run."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("status")
    table.add_column("provider")
    table.add_column("seconds", justify="right")
    table.add_column("cost", justify="right")
    table.add_column("reason", overflow="fold")
    for image in result.images:
        table.add_row(
            Text(image.image_key),
            Text(image.status, style="green" if image.status == "complete" else "red"),
            image.provider or "",
            f"{image.seconds:.1f}",
            "" if image.cost_usd is None else f"{image.cost_usd:.2f} $",
            Text(image.reason or ""),
        )
    return table


def demo_table(
    result: PipelineRunResult, stored: Mapping[str, StoredImage], data_dir: Path
) -> RenderableType:
    """Lay out what became of each image of the demo: answer, reason, time, files."""
    table = Table(show_lines=True)
    for column in ("image", "scene", "top movement and why", "provider", "seconds", "files"):
        table.add_column(column, overflow="fold")
    for image in result.images:
        known = stored[image.image_key]
        done = image.status == "complete"
        table.add_row(
            image.image_key,
            _scene(known),
            Text(_movements(known) if done else image.reason or "failed"),
            image.provider or "",
            _seconds(result.stages.get(image.image_key, {})),
            Text("\n").join(
                Text(path.name, style=f"link {path.as_uri()}") for path in files_of(known, data_dir)
            ),
        )
    return table


def files_of(known: StoredImage, data_dir: Path) -> list[Path]:
    """List what a person may want to open of an image: picture, clip, preview."""
    picture, clip = known.generated_picture, known.animatic_clip
    paths = [picture.path] if picture else []
    paths += [clip.path, clip.preview_path] if clip else []
    return [data_dir / path for path in paths]


def _scene(known: StoredImage) -> str:
    if known.scene_analysis is None:
        return ""
    scene_type = known.scene_analysis.scene_type
    return f"{scene_type.type}\n({scene_type.score:.2f})"


def _movements(known: StoredImage) -> str:
    """Tell the top movement and, when it is another, the camera move that the clip executes."""
    prediction = known.movement_prediction
    if prediction is None:
        return ""
    told = movement_facts(prediction)
    best = {0, prediction.movements.index(prediction.camera)}
    return "\n".join(": ".join(told[at]) for at in sorted(best))


def _seconds(stages: Mapping[str, float]) -> str:
    if not stages:
        return "nothing to do"
    return "\n".join(f"{name} {seconds:.2f}" for name, seconds in stages.items())
