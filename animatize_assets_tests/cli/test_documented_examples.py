"""The examples of docs/providers.md are what the code takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from animatize_assets.cli.entry import animatize as command_line
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.pipeline.generation_setup import KEY_VARIABLES, PAID
from animatize_assets.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
COMMANDS = re.findall(r"^    animatize ([^#\n]+)", TEXT, re.MULTILINE)
EXPORTS = dict(re.findall(r"^    export (\w+)=(\S+)", TEXT, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_line_is_understood(command: str) -> None:
    name, *arguments = command.split()
    found = command_line.get_command(click.Context(command_line), name)
    assert found is not None
    found.make_context(name, arguments)  # parses, and raises what a person would see


def test_every_variable_is_read() -> None:
    read = set()
    for name, field in Settings.model_fields.items():
        aliases = getattr(field.validation_alias, "choices", ())
        read |= {f"ANIMATIZE_{name.upper()}", *aliases}
    assert set(EXPORTS) <= read


@pytest.mark.parametrize("provider", PAID)
def test_every_provider_has_what_switches_it_on_and_a_run(provider: str) -> None:
    switches = set(re.findall(r"\w+_(?:KEY|URL|WORKFLOW)", KEY_VARIABLES[provider]))
    assert switches & set(EXPORTS)
    assert any(f"--provider {provider}" in each for each in COMMANDS)


def test_the_model_that_is_named_is_one() -> None:
    assert EXPORTS["ANIMATIZE_FLUX_MODEL"] in {each.model for each in load_catalogue().of("flux")}


def test_the_smallest_workflow_is_one(tmp_path: Path) -> None:
    block = re.search(r'^    (\{"1".*?\}\}\})$', TEXT, re.MULTILINE | re.DOTALL)
    assert block is not None
    (tmp_path / "workflow_api.json").write_text(json.dumps(json.loads(block[1])))
    Workflow.load(tmp_path / "workflow_api.json")
