"""``animatize status``: images by state, providers, what is stored, the last runs."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, get_args

from rich.console import RenderableType
from rich.table import Table

from animatize_assets.cli.cache import results_usage
from animatize_assets.cli.providers import provider_states
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.orchestration import (
    ImageState,
    image_states,
    open_instance,
    pipeline_assets,
    recent_runs,
    register_images,
)
from animatize_assets.workplace.opening import Workplace, open_workplace

LAST_RUNS = 5


def status(terminal: Terminal) -> int:
    """Print how things stand."""
    workplace = open_workplace()
    content: dict[str, Any] = {
        "data_dir": str(workplace.data_dir),
        **_images_and_runs(workplace),
        "providers": provider_states(workplace),
        "caches": {"results": results_usage(workplace)},
        "storage": _storage(workplace.data_dir),
    }
    terminal.document(content)
    terminal.say(*_page(content))
    return 0


def _images_and_runs(workplace: Workplace) -> dict[str, Any]:
    known = workplace.known_keys()
    archived = len(workplace.known_keys(archived=True)) - len(known)
    counted: Counter[str] = Counter()
    runs: list[dict[str, Any]] = []
    if known:
        with open_instance(workplace.data_dir) as instance:
            register_images(instance, known)
            counted.update(image_states(instance, known, pipeline_assets()).values())
            runs = [run.model_dump(mode="json") for run in recent_runs(instance, limit=LAST_RUNS)]
    states = {state: counted[state] for state in get_args(ImageState)}
    images = {"total": len(known), **states, "archived": archived}
    return {"images": images, "runs": runs}


def _storage(data_dir: Path) -> dict[str, dict[str, int]]:
    """Count files and bytes of each folder below the data folder; files beside them as ``.``."""
    sizes: dict[str, dict[str, int]] = {}
    for folder, _, names in os.walk(data_dir):
        below = Path(folder).relative_to(data_dir).parts
        size = sizes.setdefault(below[0] if below else ".", {"files": 0, "bytes": 0})
        for name in names:
            try:
                size["bytes"] += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:
                continue  # a run that is going on has just replaced it
            size["files"] += 1
    return sizes


def _page(content: dict[str, Any]) -> list[RenderableType]:
    others = ("total", "archived")
    states = {name: n for name, n in content["images"].items() if n and name not in others}
    counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in states.items())
    rows = [
        ("images", f"{content['images']['total']}" + (f": {counts}" if counts else "")),
        ("archived", str(content["images"]["archived"])),
        (
            "providers",
            ", ".join(each["name"] for each in content["providers"] if each["configured"]),
        ),
    ]
    rows += [
        (f"{name}/", f"{size['files']} files, {size['bytes'] / 1e6:.1f} MB")
        for name, size in sorted(content["storage"].items())
    ]
    page: list[RenderableType] = [facts(content["data_dir"], rows)]
    if content["runs"]:
        runs = Table(title="Last runs", title_justify="left", box=None, pad_edge=False)
        for column in ("run", "job", "status", "started", "images"):
            runs.add_column(column, overflow="fold")
        for run in content["runs"]:
            started = (run["started_at"] or "")[:19]
            runs.add_row(run["run_id"][:8], run["job"], run["status"], started, run["images"] or "")
        page.append(runs)
    return page
