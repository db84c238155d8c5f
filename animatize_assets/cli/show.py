"""``animatize show KEY``: everything known of one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import RenderableType

from animatize_assets.cli.contact_sheets import sheet_path
from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.tables import facts, movement_facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import ImageNotFound
from animatize_assets.generation.models import PictureRecord
from animatize_assets.workplace.opening import open_workplace
from animatize_assets.workplace.stored import StoredImage, load_stored


def show(terminal: Terminal, key: str) -> int:
    """Print every stored record of one image."""
    workplace = open_workplace()
    known = workplace.known_keys(archived=True)
    if not known:
        raise ImageNotFound(
            f"No image has the key '{key}': {workplace.data_dir} holds none. ANIMATIZE_DATA_DIR "
            "names another folder."
        )
    stored = load_stored(workplace, resolve_key(key, known))
    terminal.document(stored_document(stored, workplace.data_dir))
    terminal.say(_page(stored, workplace.data_dir))
    return 0


def stored_document(stored: StoredImage, data_dir: Path) -> dict[str, Any]:
    """Return the records by asset name, null where a stage was not made, paths absolute."""
    return {
        "image_key": stored.source_image.image_key,
        **{
            stage: None if record is None else _absolute(record.model_dump(mode="json"), data_dir)
            for stage, record in stored.by_stage().items()
        },
    }


def _absolute(content: dict[str, Any], data_dir: Path) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: str(data_dir / value)
        if isinstance(value, str) and (name == "path" or name.endswith("_path"))
        else value
        for name, value in content.items()
    }
    if "arrays" in made:
        made["arrays"] = {
            name: None if value is None else str(data_dir / value)
            for name, value in made["arrays"].items()
        }
    return made


def _page(stored: StoredImage, data_dir: Path) -> RenderableType:
    image, scene, prompt = stored.source_image, stored.scene_analysis, stored.motion_prompt
    picture, clip = stored.generated_picture, stored.animatic_clip
    rows: list[tuple[str, str]] = [
        ("image", f"{image.original_name}, {image.format}, {image.width}x{image.height} px"),
        ("original", str(data_dir / image.original_path)),
    ]
    if scene:
        rows.append(("scene", f"{scene.scene_type.type} ({scene.scene_type.score:.2f})"))
    if stored.movement_prediction:
        rows += movement_facts(stored.movement_prediction)
    if prompt:
        rows.append(("prompt", f"[{prompt.target}, {prompt.style}] {prompt.positive}"))
    if picture:
        rows.append(("picture", f"{picture.provider}: {data_dir / picture.path}"))
        if picture.is_fallback:
            rows.append(("asked of", why_not(picture)))
    if clip:
        size = f"{clip.width}x{clip.height}, {clip.duration_s:g} s at {clip.fps} fps"
        rows += [
            ("clip", f"{size}: {data_dir / clip.path}"),
            ("preview", str(data_dir / clip.preview_path)),
        ]
    sheet = sheet_path(data_dir, image.image_key)
    if sheet.is_file():
        rows.append(("contact sheet", str(sheet)))
    if missing := [stage for stage, record in stored.by_stage().items() if record is None]:
        rows.append(("not made", ", ".join(missing)))
    return facts(image.image_key, rows)


def why_not(picture: PictureRecord) -> str:
    """Say who was asked for a picture that somebody else made, and what they answered last."""
    failed = [each for each in picture.attempts if each.outcome == "failed"]
    asked = f"{picture.asked_provider}, which did not deliver"
    if not failed:
        return f"{asked}."
    return f"{asked}. Failed calls: {len(failed)}; the last: {failed[-1].message}"
