"""What a person types: help, wrong usage, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from animatize_assets.cli.entry import animatize as group
from animatize_assets_tests.cli.conftest import Animatize

COMMANDS = (
    *("demo", "ingest", "run", "show", "analyze", "status"),
    *("providers", "doctor", "estimate", "quote", "reproduce"),
    *("rate", "report", "bottlenecks", "trends", "alerts", "train"),
    *("cache", "sizes", "archive", "unarchive", "pregenerate", "ledger"),
    *("migrate", "backup", "restore", "serve", "webhook"),
)


def test_every_command_takes_json_and_has_a_help_line() -> None:
    assert tuple(group.commands) == COMMANDS
    for command in group.commands.values():
        assert command.get_short_help_str()
        assert {"as_json", "verbose"} <= {option.name for option in command.params}


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from animatize_assets.cli.entry import execute\n"
        "assert execute(['--help']) == 0\n"
        "assert execute(['run', '--help']) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stderr.split())
    assert "click" in loaded
    assert not loaded & {
        "av", "cv2", "dagster", "numpy", "onnxruntime", "PIL", "pydantic", "rich", "scipy",
        "fastapi", "sklearn", "sqlalchemy", "upath", "yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense", "--json"],
        ["ingest", "--json"],
        ["show", "--json"],
        ["run", "--json", "--size", "7by3"],
        ["run", "--json", "--size", "33x20"],
        ["run", "--json", "--size", "9999x20"],
        ["run", "--json", "--provider", "nobody"],
        ["run", "--json", "--all", "some-key"],
        ["status", "--json", "--nonsense"],
        ["estimate", "--json"],
        ["estimate", "--json", "--all", "some-key"],
        ["estimate", "--json", "--pipeline", "film"],
        ["estimate", "--json", "--pipeline", "video", "--resolution", "0x768"],
        ["estimate", "--json", "--pipeline", "video", "--steps", "0"],
        ["estimate", "--json", "--pipeline", "video", "--frames", "9999999"],
        ["estimate", "--json", "--pipeline", "video", "--job-type", "x" * 65],
        ["estimate", "--json", "--pipeline", "video", "--all"],
        ["estimate", "--json", "--pipeline", "video", "--size", "768x768"],
        ["estimate", "--json", "--all", "--steps", "20"],
        ["estimate", "--json", "--all", "--provider", "nobody"],
        ["rate", "--json", "some-key", "6"],
        ["report", "--json", "--days", "7", "--weeks-back", "1"],
        ["alerts", "--json", "resolve"],
        ["alerts", "--json", "list", "1"],
    ],
)
def test_wrong_usage_is_one_document_and_code_2(animatize: Animatize, arguments: list[str]) -> None:
    answer = animatize(*arguments)
    assert answer.code == 2
    assert answer.document["error"]["code"] == "usage"
    assert answer.document["error"]["message"]


def test_wrong_usage_without_json_is_told_on_standard_error(animatize: Animatize) -> None:
    answer = animatize("run", "--size", "x")
    assert (answer.code, answer.out) == (2, "")
    assert "1280x720" in answer.err
    assert animatize("show", "--", "--json").out == ""


@pytest.mark.parametrize("option", [["--target", "nobody"], ["--style", "nothing"]])
def test_an_unknown_target_or_style_lists_those_there_are(
    animatize: Animatize, option: list[str]
) -> None:
    answer = animatize("run", "--json", *option)
    assert answer.code == 2
    assert answer.document["error"]["code"] == "invalid_setting"
    assert "generic" in answer.out or "cinematic" in answer.out


def test_a_setting_out_of_range_is_code_2(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_MAX_UPLOAD_MB", "100000")
    answer = animatize("status", "--json")
    assert answer.code == 2
    assert "ANIMATIZE_MAX_UPLOAD_MB" in answer.document["error"]["message"]


@pytest.mark.parametrize("name", ["a%20b", "who?"])
def test_a_data_folder_that_no_url_can_name_is_refused(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("ANIMATIZE_DATA_DIR", str(tmp_path / name))
    answer = animatize("status", "--json")
    assert answer.code == 2
    assert "ANIMATIZE_DATA_DIR" in answer.document["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_prints_nothing_but_the_document() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from animatize_assets.cli import main; main()", "status", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["images"]["total"] == 0
    assert ran.stderr == ""


@pytest.mark.parametrize("options", [("--provider", "flux"), ("--expand", "draft")])
def test_what_is_not_configured_is_said_before_anything_runs(
    animatize: Animatize, options: tuple[str, str]
) -> None:
    answer = animatize("run", *options, "--json")
    assert answer.code == 1
    assert answer.document["error"]["code"] == "not_configured"
    assert "_API_KEY" in answer.document["error"]["message"]


def test_the_catalogue_is_one_document(animatize: Animatize) -> None:
    listed = {each["name"]: each for each in animatize("providers", "--json").document["providers"]}
    assert set(listed) == {"local", "openai", "flux", "imagen", "comfyui"}
    assert [name for name, each in listed.items() if each["configured"]] == ["local"]
    assert all(
        model["price"] is None or model["price"]["date"]
        for each in listed.values()
        for model in each["models"]
    )


def test_nothing_to_judge_is_no_failure(animatize: Animatize) -> None:
    assert animatize("doctor", "--json").code == 0
    assert animatize("ledger", "--json").document == {"providers": [], "open": [], "reconciled": []}
    assert animatize("cache", "stats", "--json").document["results"] is None
