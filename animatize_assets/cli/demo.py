"""``animatize demo``: two real photographs through the whole pipeline."""

from __future__ import annotations

import os
from contextlib import ExitStack
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

import animatize_assets
from animatize_assets.cli.contact_sheets import sheet_path
from animatize_assets.cli.ingest import offer_files, register_accepted
from animatize_assets.cli.run import exit_code, materialize, run_document, what_was_done
from animatize_assets.cli.tables import demo_table, files_of
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import NotConfigured, StorageFailed
from animatize_assets.orchestration import ImageResult, PipelineRunResult
from animatize_assets.workplace.opening import Workplace, open_workplace
from animatize_assets.workplace.stored import load_stored

REQUEST = {"provider": "local", "target": "generic", "style": "cinematic"}


def demo(terminal: Terminal) -> int:
    """Make what is missing of the two photographs; 1 when one failed."""
    workplace = open_workplace()
    workplace.check_disk()
    keys = _ingest_photographs(terminal, workplace)
    result = materialize(terminal, workplace, REQUEST, keys=keys, only_incomplete=True)
    result = _with_complete_ones(result, workplace, keys)
    terminal.document(run_document(result))
    stored = {key: load_stored(workplace, key) for key in keys}
    terminal.say(demo_table(result, stored, workplace.data_dir))
    terminal.say(what_was_done(result))
    paths = [path for key in keys for path in files_of(stored[key], workplace.data_dir)]
    paths += [sheet for key in keys if (sheet := sheet_path(workplace.data_dir, key)).is_file()]
    terminal.say_unwrapped(*(f"  {path}" for path in paths))
    terminal.say_unwrapped(f"Look at it in Dagster: {how_to_open_the_ui(workplace.data_dir)}")
    return exit_code(result)


def _ingest_photographs(terminal: Terminal, workplace: Workplace) -> list[str]:
    """Ingest the JPEG files of ``sklearn.datasets.load_sample_images``, without importing it."""
    spec = find_spec("sklearn")
    if spec is None:
        raise NotConfigured("The demo's photographs come with scikit-learn, which is missing.")
    folder = files("sklearn") / "datasets" / "images"
    with ExitStack() as stack:
        photographs = [
            stack.enter_context(as_file(file))
            for file in sorted(folder.iterdir(), key=lambda file: file.name)
            if file.name.endswith(".jpg")
        ]
        outcomes = offer_files(terminal, workplace, photographs)
    register_accepted(workplace, outcomes)
    refused = [outcome for outcome in outcomes if outcome.status == "rejected"]
    if refused:
        raise StorageFailed(f"A sample photograph was refused: {refused[0].reason}")
    return [outcome.image_key for outcome in outcomes if outcome.image_key]


def _with_complete_ones(
    result: PipelineRunResult, workplace: Workplace, keys: list[str]
) -> PipelineRunResult:
    """Report also the images that were complete before and took no run."""
    made = {image.image_key: image for image in result.images}
    images = []
    for key in keys:
        picture = load_stored(workplace, key).generated_picture
        complete = ImageResult(
            image_key=key,
            status="complete",
            provider=picture.provider if picture else None,
            seconds=0,
            cost_usd=picture.cost_usd if picture else None,
        )
        images.append(made.get(key, complete))
    return result.model_copy(update={"images": tuple(images)})


def how_to_open_the_ui(data_dir: Path) -> str:
    """Return one line to copy: ``make ui`` in a clone, Dagster's own command elsewhere."""
    clone = Path(animatize_assets.__file__).parent.parent
    if not ((clone / "Makefile").is_file() and (clone / "pyproject.toml").is_file()):
        home = quote(os.environ["DAGSTER_HOME"])
        return (
            f"ANIMATIZE_DATA_DIR={quote(str(data_dir))} DAGSTER_HOME={home} "
            "dagster dev -m animatize_assets.definitions"
        )
    own = data_dir == clone / "data"
    folder = "" if own else f"ANIMATIZE_DATA_DIR={quote(str(data_dir))} "
    there = "" if Path.cwd() == clone else f" -C {quote(str(clone))}"
    return f"{folder}make{there} ui"
