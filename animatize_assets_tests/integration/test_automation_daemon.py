"""A real daemon tells of runs that fail or hang, and makes again what became stale.

The sensors are those that ship, switched on as a person does; only their looks come every second.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import time

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.stale_results import AS_BEFORE_TAG, SENSOR
from animatize_assets.movement import rules as packaged
from animatize_assets.orchestration import open_instance
from animatize_assets.performance.alert_models import runbook_of
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import AlertRecord
from animatize_assets_tests.defs.fleet_records import room
from animatize_assets_tests.defs.runs import register, run
from animatize_assets_tests.integration.daemons import CODE_LOCATION, wait_for
from animatize_assets_tests.integration.plant import CODE, DAEMON, Plant, running_plant
from animatize_assets_tests.integration.test_daemon import (
    asset_backfill,
    complete,
    finished_runs,
)
from animatize_assets_tests.integration.watching import WATCHED, looks_of, next_look, switch_on
from animatize_assets_tests.pipeline.cheap import (
    DECIDING,
    RULES_FILE,
    WAITING,
    cheap_overrides,
    made,
    wish,
)

PACKAGED = Path(packaged.__file__).with_name("rules.yaml").read_text("utf-8")

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]


class Floor:
    """An instance with a daemon and a code server, and what they have made and told."""

    def __init__(self, instance: dg.DagsterInstance, data_dir: Path, plant: Plant) -> None:
        self.instance = instance
        self.data_dir = data_dir
        self.plant = plant

    def look(self, sensor: str) -> str:
        """What the next whole look of ``sensor`` says."""
        return next_look(self.instance, sensor, self.plant.log).skip_reason or ""

    def wait_for_run(self, backfill_id: str, status: dg.DagsterRunStatus) -> None:
        runs = wait_for(lambda: finished_runs(self.instance, backfill_id), self.plant.log)
        assert runs[0].status is status

    def wait_for_alert(self) -> AlertRecord:
        (alert,) = wait_for(lambda: alerts(is_resolved=False), self.plant.log)
        return alert


def alerts(*, is_resolved: bool | None = None) -> tuple[AlertRecord, ...]:
    """Return the alerts about runs."""
    opened = room()
    try:
        found = AlertStore(opened.engine).alerts(is_resolved=is_resolved)
    finally:
        opened.close()
    return tuple(each for each in found if each.alert_type in {"run_failed", "run_stuck"})


@pytest.fixture
def code() -> str:
    return CODE_LOCATION


@pytest.fixture
def floor(either_instance: str, code: str, tmp_path: Path) -> Iterator[Floor]:
    del either_instance
    data_dir = tmp_path / "data"
    data_dir.mkdir(exist_ok=True)
    with (
        open_instance(data_dir) as instance,
        running_plant(data_dir, CODE, DAEMON, code=code) as plant,
    ):
        yield Floor(instance, data_dir, plant)


@pytest.mark.parametrize("either_instance", ["postgresql"], indirect=True)
def test_a_failed_run_is_an_alert_until_a_later_one_succeeds(floor: Floor) -> None:
    keys = register(floor.instance, floor.data_dir, 2)
    switch_on(floor.plant, "failed_runs")
    floor.look("failed_runs")
    wish(floor.data_dir, fail={keys[1]: "generated_picture"})
    asset_backfill(floor.instance, "fails", keys)
    alert = floor.wait_for_alert()
    (failed,) = finished_runs(floor.instance, "fails")
    assert (alert.alert_type, alert.severity) == ("run_failed", "medium")
    assert (alert.details["run_ids"], alert.details["images"]) == ([failed.run_id], [keys[1]])
    assert "generated_picture refused." in alert.message
    assert runbook_of(alert.alert_type) == "docs/runbook.md#a-run-failed"
    floor.look("failed_runs")
    assert [each.occurrences for each in alerts()] == [1]

    wish(floor.data_dir)
    asset_backfill(floor.instance, "mended", keys[1:])
    wait_for(lambda: not alerts(is_resolved=False), floor.plant.log)
    (over,) = alerts()
    assert (over.id, over.is_resolved) == (alert.id, True)
    assert complete(floor.instance, keys)


@pytest.mark.parametrize("either_instance", ["sqlite"], indirect=True)
def test_a_crash_that_dagster_starts_again_is_no_alert(floor: Floor) -> None:
    keys = register(floor.instance, floor.data_dir, 1)
    switch_on(floor.plant, "failed_runs")
    floor.look("failed_runs")
    wish(floor.data_dir, kill_at=[keys[0], "motion_prompt"])
    asset_backfill(floor.instance, "killed", keys)
    floor.wait_for_run("killed", dg.DagsterRunStatus.FAILURE)
    wish(floor.data_dir)
    floor.look("failed_runs")
    wait_for(lambda: complete(floor.instance, keys), floor.plant.log)
    floor.look("failed_runs")
    said = [look.skip_reason or "" for look in looks_of(floor.instance, "failed_runs")]
    assert len([each for each in said if each.startswith("1 runs failed")]) == 1
    assert alerts() == ()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of silence is too long, the least that can be set; then a run is cancelled."""
    monkeypatch.setenv("ANIMATIZE_STUCK_RUN_S", "60")
    monkeypatch.setenv("ANIMATIZE_STUCK_RUN_FACTOR", "1")
    monkeypatch.setenv("ANIMATIZE_STUCK_RUN_CANCEL", "true")


@pytest.mark.parametrize("either_instance", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("impatient")
def test_a_run_that_hangs_is_told_of_and_cancelled(floor: Floor) -> None:
    keys = register(floor.instance, floor.data_dir, 2)
    switch_on(floor.plant, "stuck_runs")
    wish(floor.data_dir, wait_at=[keys[1], "generated_picture"])
    asset_backfill(floor.instance, "hangs", keys)
    wait_for((floor.data_dir / WAITING).exists, floor.plant.log)
    assert floor.look("stuck_runs").startswith("0 runs are stuck")
    alert = floor.wait_for_alert()
    assert (alert.alert_type, alert.severity) == ("run_stuck", "high")
    assert "it is cancelled; what it finished stays" in alert.message
    assert runbook_of(alert.alert_type) == "docs/runbook.md#a-run-hangs"

    def cancelled() -> list[dg.DagsterRun]:
        filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELED])
        return list(floor.instance.get_runs(filters))

    (ended,) = wait_for(cancelled, floor.plant.log)
    assert alert.details["run_id"] == ended.run_id
    wait_for(lambda: not alerts(is_resolved=False), floor.plant.log)
    assert [each.id for each in alerts()] == [alert.id]
    before = made(floor.data_dir)
    assert complete(floor.instance, keys[:1])
    wish(floor.data_dir)
    asset_backfill(floor.instance, "again", keys)
    wait_for(lambda: complete(floor.instance, keys), floor.plant.log)
    assert made(floor.data_dir)[len(before) :] == [
        (keys[1], "generated_picture"),
        (keys[1], "animatic_clip"),
    ]


class Rules:
    """The rule file of the data folder, and what follows from changing it."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.keys = register(floor.instance, floor.data_dir, 3)
        self._seen = 0

    def make(self, keys: Sequence[str]) -> None:
        definitions = build_definitions(cheap_overrides(real_stages=DECIDING))
        assert run(self.floor.instance, keys, definitions=definitions).success
        self._seen = len(made(self.floor.data_dir))

    def deploy(self, text: str) -> None:
        """Give other rules, and start the code server again, as a deployment does."""
        (self.floor.data_dir / RULES_FILE).write_text(text)
        self.floor.plant.kill(CODE)
        self.floor.plant.start(CODE)

    def made_again(self) -> list[tuple[str, str]]:
        """What was made since the last question."""
        new = made(self.floor.data_dir)[self._seen :]
        self._seen += len(new)
        return new

    def settle(self) -> None:
        """Wait until nothing is under way and two whole looks have asked for nothing."""
        wait_for(self._is_settled, self.floor.plant.log)

    def _is_settled(self) -> bool:
        instance, began = self.floor.instance, time()
        if self._is_busy():
            return False
        for _ in range(2):
            next_look(instance, SENSOR, self.floor.plant.log)
        has_asked = any(
            look.run_ids for look in looks_of(instance, SENSOR) if look.timestamp >= began
        )
        # Asked again: what an earlier look had not yet submitted.
        return not has_asked and not self._is_busy()

    def _is_busy(self) -> bool:
        instance = self.floor.instance
        return any(not each.is_finished for each in instance.get_runs()) or any(
            each.status is BulkActionStatus.REQUESTED for each in instance.get_backfills()
        )


@pytest.mark.parametrize(
    ("either_instance", "code"), [("postgresql", WATCHED)], indirect=["either_instance"]
)
def test_another_rule_file_makes_exactly_what_it_made_stale(floor: Floor) -> None:
    rules = Rules(floor)
    old = rules.keys[:2]  # the third is never made: that is no staleness
    rules.make(old)
    switch_on(floor.plant, SENSOR)
    rules.settle()
    assert rules.made_again() == []

    rules.deploy(PACKAGED + "\n# A remark: another file, the same answers.\n")
    rules.settle()
    assert sorted(rules.made_again()) == sorted((key, "movement_prediction") for key in old)

    rules.deploy(towards_the_other_side(PACKAGED))
    rules.settle()
    again = rules.made_again()
    stages = ("movement_prediction", "motion_prompt", "animatic_clip", "generated_picture")
    assert Counter(again) == Counter((key, stage) for key in old for stage in stages)
    in_order = [stage for _, stage in again]
    assert in_order[:2] == ["movement_prediction"] * 2
    assert in_order[-2:] == ["generated_picture"] * 2  # what may cost most comes last
    rules.settle()
    assert rules.made_again() == []
    asked = floor.instance.get_runs(dg.RunsFilter(tags={AS_BEFORE_TAG: SENSOR}))
    assert {each.status for each in asked} == {dg.DagsterRunStatus.SUCCESS}


def towards_the_other_side(rules: str) -> str:
    """Have the camera leave whatever it went to, and go to whatever it left."""
    words = {"towards:": "away_from:", "away_from:": "towards:"}
    return re.sub("|".join(words), lambda found: words[found.group()], rules)
