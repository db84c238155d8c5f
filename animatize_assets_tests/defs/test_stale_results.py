"""What another rule file, template or model made stale is offered again, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from animatize_assets.defs.partitions import range_tags
from animatize_assets.defs.resources import Stores, default_resources
from animatize_assets.defs.stale_results import AS_BEFORE_TAG, SENSOR
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.models import PictureRecord
from animatize_assets.orchestration.partitions import contiguous_ranges
from animatize_assets.pipeline import versions
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.versions import code_versions
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.workplace.quoting import expected_price
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, register, run
from animatize_assets_tests.pipeline.cheap import SIDE, made, wish

Requested = dict[str, list[str]]


class Automation:
    """Evaluations one after the other, and the runs that they ask for."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        self.definitions = cheap_definitions()
        self.cursor: Any = None
        self.now = datetime.now(UTC)
        self._patch = monkeypatch

    def deploy(self, *changed: str, **files: str) -> None:
        """Load other code: with another version of what ``changed`` names, or with other files."""
        for name in changed:
            self._patch.setattr(versions, f"{name}_VERSION", "another")
        self.definitions = cheap_definitions(code_versions(**files), **files)

    def look(self) -> Requested:
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            dg.AssetSelection.assets(*STAGES),
            cursor=self.cursor,
            evaluation_time=self.now,
        )
        self.cursor = result.cursor
        asked = {stage: result.get_requested_partitions(dg.AssetKey(stage)) for stage in STAGES}
        return {stage: sorted(map(str, keys)) for stage, keys in asked.items() if keys}

    def execute(self, requested: Requested) -> bool:
        """Make what was requested, as the sensor's runs do."""
        order = self.instance.get_dynamic_partitions("images")
        job = self.definitions.resolve_job_def("animate_images")
        done = [
            job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(stage)],
                tags={AS_BEFORE_TAG: SENSOR, **range_tags(keys)},
                run_config=QUIET,
                raise_on_error=False,
            ).success
            for stage, wanted in requested.items()
            for keys in contiguous_ranges(wanted, order, longest=100)
        ]
        return all(done)

    def settle(self) -> list[Requested]:
        """Look and execute until nothing is asked for; what each look asked for."""
        looks = []
        while requested := self.look():
            looks.append(requested)
            assert self.execute(requested)
            assert len(looks) < 10
        return looks


@pytest.fixture
def automation(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Automation:
    return Automation(instance, monkeypatch)


def records(keys: Sequence[str], stage: str, kind: Any) -> list[Any]:
    _, artifacts = Stores().open()
    return [artifacts.current(stage, key, kind) for key in keys]


def test_another_rule_file_offers_exactly_what_it_made_stale(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 4)  # the last one was never made: that is no staleness
    assert run(instance, keys[:2]).success
    assert automation.look() == {}
    automation.deploy(rules_version="2+other")
    assert run(instance, keys[2:3], definitions=automation.definitions).success
    before = len(made(data_dir))
    # The new file gives the same answers, so nothing that is built on them is asked for.
    assert automation.settle() == [{"movement_prediction": sorted(keys[:2])}]
    assert made(data_dir)[before:] == [(key, "movement_prediction") for key in sorted(keys[:2])]
    assert automation.look() == {}


def test_the_cheapest_step_comes_first_and_the_picture_last(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    (key,) = register(instance, data_dir, 1)
    assert run(instance, [key]).success
    automation.look()
    automation.deploy("MOVEMENT", "TEMPLATE", "PICTURE", "CLIP")
    assert automation.settle() == [
        {"movement_prediction": [key]},
        {"motion_prompt": [key], "animatic_clip": [key]},
        {"generated_picture": [key]},
    ]


def test_it_is_made_again_as_it_was_asked_for(
    automation: Automation,
    instance: dg.DagsterInstance,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BFL_API_KEY", "a-key")
    keys = register(instance, data_dir, 3)
    assert run(instance, keys[:1], style="noir", seed=7).success
    assert run(instance, keys[1:2], target="veo", size=[64, 48]).success
    assert run(instance, keys[2:]).success
    automation.look()
    automation.deploy("TEMPLATE", "PICTURE")
    assert automation.settle() == [
        {"motion_prompt": sorted(keys)},
        {"generated_picture": sorted(keys)},
    ]
    prompts = records(keys, "motion_prompt", MotionPrompt)
    assert [(each.style, each.target) for each in prompts] == [
        ("noir", "generic"),
        ("cinematic", "veo"),
        ("cinematic", "generic"),
    ]
    pictures = records(keys, "generated_picture", PictureRecord)
    assert [(each.seed, each.request["size"]) for each in pictures] == [
        (7, None),
        (0, [64, 48]),
        (0, None),
    ]
    # And in one run, which finds everything again.
    before = len(made(data_dir))
    assert automation.execute(dict.fromkeys(STAGES, keys))
    assert len(made(data_dir)) == before


def test_what_fails_is_offered_again_with_the_next_version_only(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    assert run(instance, keys).success
    automation.look()
    wish(data_dir, fail={keys[0]: "movement_prediction"})
    automation.deploy(rules_version="2+broken")
    requested = automation.look()
    assert not automation.execute(requested)
    assert [automation.look() for _ in range(3)] == [{}, {}, {}]
    wish(data_dir)
    automation.deploy(rules_version="3+mended")
    assert automation.settle() == [{"movement_prediction": sorted(keys)}]


def test_a_result_of_old_code_that_comes_late_is_offered_again(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 1)
    old = automation.definitions
    assert run(instance, keys, definitions=old).success
    automation.deploy(rules_version="2+other")  # before the sensor was switched on
    requested = automation.look()
    assert requested == {"movement_prediction": keys}
    assert automation.look() == {}  # asked for, though not made yet: once
    assert automation.execute(requested)
    assert automation.look() == {}
    assert run(instance, keys, definitions=old).success  # by a worker that was not restarted
    assert automation.settle() == [{"movement_prediction": keys}]


@pytest.fixture
def paid(
    automation: Automation,
    instance: dg.DagsterInstance,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Three pictures by flux, made stale by other code, and one by ``local``, the last."""
    monkeypatch.setenv("BFL_API_KEY", "a-key")
    keys = register(instance, data_dir, 4)
    assert run(instance, keys[:3], provider="flux").success
    assert run(instance, keys[3:]).success
    automation.look()
    automation.deploy("PICTURE")
    return keys


def test_nothing_is_paid_for_beyond_the_budget_of_automation_and_those_of_everything(
    automation: Automation, paid: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert automation.settle() == [{"generated_picture": paid[3:]}]  # by default, only what is free
    setup = default_resources()["picture_providers"].setup()
    price = expected_price(setup, load_catalogue(), (SIDE, SIDE), "flux", None)
    assert price
    monkeypatch.setenv("ANIMATIZE_AUTOMATION_BUDGET_USD", f"{2.5 * price}")
    monkeypatch.setenv("ANIMATIZE_BUDGET_PROVIDER_DAY_USD", '{"flux": 0}')
    assert automation.look() == {}
    monkeypatch.delenv("ANIMATIZE_BUDGET_PROVIDER_DAY_USD")
    monkeypatch.delenv("BFL_API_KEY")
    assert automation.look() == {}  # nobody could make them
    monkeypatch.setenv("BFL_API_KEY", "a-key")
    assert automation.look() == {"generated_picture": sorted(paid[:2])}
    assert automation.look() == {}
    automation.now += timedelta(days=1)
    assert automation.look() == {"generated_picture": [paid[2]]}


def test_a_prompt_that_a_language_model_expanded_is_left_to_a_person(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    assert run(instance, keys).success
    _, artifacts = Stores().open()
    fingerprint = artifacts.current_fingerprint("generated_picture", keys[0])
    assert fingerprint is not None
    picture = artifacts.current("generated_picture", keys[0], PictureRecord)
    assert picture is not None
    expanded = picture.model_copy(update={"request": {**picture.request, "expand": "final"}})
    with artifacts.draft("generated_picture", keys[0], "e" * 32) as draft:
        draft.commit(expanded)
    automation.look()
    automation.deploy(dialects_version="2+other")
    assert automation.look() == {"motion_prompt": [keys[1]]}


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.keys`")  # Dagster 1.13 calls its own
def test_its_sensor_is_off_and_asks_as_before(
    automation: Automation, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    assert run(instance, keys).success
    automation.deploy(rules_version="2+other")
    repository = automation.definitions.get_repository_def()
    sensor = repository.get_sensor_def(SENSOR)
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    graph = repository.asset_graph
    watched = {key.to_user_string() for key in sensor.asset_selection.resolve(graph)}
    assert watched == set(STAGES)

    context = dg.build_sensor_context(instance=instance, repository_def=repository)
    (request,) = sensor.evaluate_tick(context).run_requests or []
    assert request.tags[AS_BEFORE_TAG] == SENSOR
    assert request.asset_graph_subset is not None
    asked = request.asset_graph_subset.asset_keys
    assert asked == {dg.AssetKey("movement_prediction")}
