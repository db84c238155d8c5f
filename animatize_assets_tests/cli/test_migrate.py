"""An embedded instance moves to PostgreSQL: nothing is lost, nothing is half done."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._serdes import serialize_value
from sqlalchemy import create_engine, insert, select

from animatize_assets.cli import migrate
from animatize_assets.database.engine import open_engine
from animatize_assets.database.performance_tables import performance_trends
from animatize_assets.database.tables import generation_calls, images
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.orchestration import open_instance
from animatize_assets.orchestration.process_marks import marked_process
from animatize_assets.orchestration.runs import PROCESS_TAG
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import performance_room
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.cli.conftest import Animatize
from animatize_assets_tests.cli.test_performance_commands import recent
from animatize_assets_tests.defs.runs import register, run, states
from animatize_assets_tests.generation.ledgers import planned
from animatize_assets_tests.performance.jobs import job
from animatize_assets_tests.performance.timed_jobs import timed_jobs
from animatize_assets_tests.pipeline.cheap import wish
from animatize_assets_tests.postgres import empty_database
from animatize_assets_tests.production import DAGSTER_YAML

VARIABLES = (
    "ANIMATIZE_DATABASE_URL",
    "ANIMATIZE_DAGSTER_DATABASE_URL",
    "ANIMATIZE_MLFLOW_TRACKING_URI",
)
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")


@pytest.fixture
def targets(postgres_server: str) -> Iterator[dict[str, str]]:
    """Three empty databases by the variables that name them; they are not set yet."""
    with ExitStack() as databases:
        yield {name: databases.enter_context(empty_database(postgres_server)) for name in VARIABLES}


@pytest.fixture
def production(targets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in targets.items():
        monkeypatch.setenv(name, url)


@pytest.fixture
def instance_of_one(data_dir: Path, targets: dict[str, str]) -> dict[str, str]:
    """An embedded instance with one image; gives the targets."""
    with open_instance(data_dir) as instance:
        register(instance, data_dir, 1)
    return targets


def sensor_state() -> InstigatorState:
    location = RegisteredCodeLocationOrigin("animatize_assets")
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(location, "__repository__"), "new_images"
    )
    data = SensorInstigatorData(cursor="seen up to here")
    return InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)


def fill(data_dir: Path) -> list[str]:
    """An instance with a run that went well, one that failed in part, and every kind of record."""
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 3)
        run(instance, keys[:2])
        wish(data_dir, fail={keys[2]: "motion_prompt"})
        run(instance, keys[1:])
        instance.add_instigator_state(sensor_state())
        instance.daemon_cursor_storage.set_cursor_values({"cursor": "of a daemon"})
        instance.event_log_storage.set_concurrency_slots("provider_flux", 3)
        instance.report_runless_asset_event(dg.AssetMaterialization("elsewhere"))
    workplace = open_workplace()
    SqlLedger(workplace.images.engine, Budget()).open_call(planned())
    performance_room(Settings.read()).store.record(*(job(number) for number in range(3)))
    return keys


def known_of(instance: dg.DagsterInstance, keys: list[str]) -> dict[str, Any]:
    """Everything that a person or a daemon asks of an instance."""
    runs = instance.get_run_records(ascending=True)
    return {
        "runs": [
            (
                each.storage_id,
                each.dagster_run,
                each.start_time,
                each.end_time,
                each.create_timestamp,
            )
            for each in runs
        ],
        "events": {
            each.dagster_run.run_id: Counter(
                serialize_value(event) for event in instance.all_logs(each.dagster_run.run_id)
            )
            for each in runs
        },
        "materializations": {
            stage: [
                (record.storage_id, serialize_value(record.event_log_entry))
                for record in instance.fetch_materializations(dg.AssetKey(stage), limit=50).records
            ]
            for stage in [*STAGES, "elsewhere"]
        },
        "states": states(instance, keys),
        "partitions": instance.get_dynamic_partitions("images"),
        "sensors": instance.all_instigator_state(),
        "cursors": instance.daemon_cursor_storage.get_cursor_values({"cursor"}),
        "pools": instance.event_log_storage.get_concurrency_info("provider_flux"),
        "id": instance.run_storage.get_run_storage_id(),
    }


def test_nothing_is_lost_and_work_goes_on(
    data_dir: Path,
    animatize: Animatize,
    targets: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = fill(data_dir)
    with open_instance(data_dir) as instance:
        before = known_of(instance, keys)
    jobs = performance_room(Settings.read()).store.jobs()
    for name, url in targets.items():
        monkeypatch.setenv(name, url)

    answer = animatize("migrate", "--json")
    assert answer.code == 0, answer.out
    moved = {each["database"]: each for each in answer.document["moved"]}
    assert [each["was_there"] for each in moved.values()] == [False, False]
    (records, dagsters) = moved.values()
    assert records["tables"]["images"] == 3
    assert records["tables"]["generation_calls"] == 1
    assert records["tables"]["generation_performance"] >= 3
    assert dagsters["tables"]["runs"] == 2
    assert dagsters["tables"]["event_logs"] == 1 + sum(
        sum(events.values()) for events in before["events"].values()
    )

    again = animatize("migrate", "--json")
    assert [each["was_there"] for each in again.document["moved"]] == [True, True]

    shutil.copy(DAGSTER_YAML, data_dir / "dagster" / "dagster.yaml")
    assert performance_room(Settings.read()).store.jobs() == jobs
    workplace = open_workplace()
    assert workplace.known_keys() == tuple(keys)
    with workplace.images.engine.connect() as connection:
        (call,) = connection.execute(select(generation_calls)).all()
        assert call.state == "open"
    with open_instance(data_dir) as instance:
        assert known_of(instance, keys) == before
        # The next run has a number that none had, and finds what was made before.
        wish(data_dir)
        assert run(instance, keys).success
        assert set(states(instance, keys)["animatic_clip"].values()) == {"materialized"}
        newest = instance.fetch_materializations(dg.AssetKey("source_image"), limit=1).records[0]
        assert newest.storage_id > max(
            storage_id for made in before["materializations"].values() for storage_id, _ in made
        )
    (data_dir / "animatize.db").unlink()  # which nobody reads any more
    assert animatize("status", "--json").document["images"]["complete"] == 3


def rows_in(url: str, table: Any) -> int:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return len(connection.execute(select(table)).all())
    finally:
        engine.dispose()


def test_what_fails_last_leaves_nothing_of_what_came_before(
    data_dir: Path,
    animatize: Animatize,
    targets: dict[str, str],
    production: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANIMATIZE_DATABASE_URL")
    fill(data_dir)
    monkeypatch.setenv("ANIMATIZE_DATABASE_URL", targets["ANIMATIZE_DATABASE_URL"])
    copied = migrate.copy_tables

    def power_cut(tables: Any, *rest: Any, **named: Any) -> Any:
        if "runs" in tables:
            raise KeyboardInterrupt
        return copied(tables, *rest, **named)

    with monkeypatch.context() as broken:
        broken.setattr(migrate, "copy_tables", power_cut)
        assert animatize("migrate", "--json").code == 1
    assert rows_in(targets["ANIMATIZE_DATABASE_URL"], images) == 0
    assert animatize("migrate", "--json").code == 0
    assert rows_in(targets["ANIMATIZE_DATABASE_URL"], images) == 3


def test_a_database_that_is_not_empty_is_refused(
    data_dir: Path, animatize: Animatize, targets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(data_dir) as instance:
        register(instance, data_dir, 1)
    for name, url in targets.items():
        monkeypatch.setenv(name, url)
    engine = open_engine(targets["ANIMATIZE_DATABASE_URL"])
    migrate.upgrade(engine)
    with engine.begin() as connection:
        row: dict[str, Any] = dict.fromkeys(performance_trends.columns.keys(), 1)
        row |= {"date": job().finished_at.date(), "computed_at": job().finished_at}
        texts = [c.name for c in performance_trends.columns if c.type.python_type is str]
        connection.execute(insert(performance_trends).values(row | dict.fromkeys(texts, "1")))
    engine.dispose()
    answer = animatize("migrate", "--json")
    assert answer.code == 1
    assert answer.document["error"]["code"] == "storage_failed"
    assert "not empty: its table performance_trends has 1 rows" in answer.out
    assert rows_in(targets["ANIMATIZE_DATABASE_URL"], images) == 0


def test_a_run_that_goes_on_is_waited_for(
    data_dir: Path, animatize: Animatize, targets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.job
    def nothing() -> None:
        """Do nothing."""

    with open_instance(data_dir) as instance:
        register(instance, data_dir, 1)
        with marked_process(data_dir / "dagster") as mark:
            instance.create_run_for_job(
                nothing, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: mark}
            )
            for name, url in targets.items():
                monkeypatch.setenv(name, url)
            refused = animatize("migrate", "--json")
            assert refused.document["error"]["code"] == "orchestration_failed"
    # The process has ended; the run's state is for the new instance to tell.
    assert animatize("migrate", "--json").code == 0


SAME = "that of the first"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"ANIMATIZE_DATABASE_URL": ""}, ("not_configured", "names no PostgreSQL database")),
        ({"ANIMATIZE_DATABASE_URL": "sqlite:///x.db"}, ("not_configured", "names no PostgreSQL")),
        ({"ANIMATIZE_DATABASE_URL": "no address"}, ("not_configured", "names no PostgreSQL")),
        ({"ANIMATIZE_DAGSTER_DATABASE_URL": SAME}, ("invalid_setting", "the same database")),
    ],
)
def test_where_to_is_checked_before_anything_is_copied(
    changed: dict[str, str],
    error: tuple[str, str],
    instance_of_one: dict[str, str],
    animatize: Animatize,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, url in (instance_of_one | changed).items():
        same = url == SAME
        monkeypatch.setenv(name, instance_of_one["ANIMATIZE_DATABASE_URL"] if same else url)
    answer = animatize("migrate", "--json")
    code, says = error
    assert answer.document["error"]["code"] == code
    assert says in answer.document["error"]["message"]
    assert answer.code == (2 if code == "invalid_setting" else 1)


def test_without_anything_stored_there_is_nothing_to_move(
    animatize: Animatize, production: None
) -> None:
    answer = animatize("migrate", "--json")
    assert (answer.code, answer.document["error"]["code"]) == (1, "not_configured")


@pytest.mark.full
def test_trainings_and_estimators_move_too(
    data_dir: Path, animatize: Animatize, targets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(data_dir) as instance:
        register(instance, data_dir, 1)
    store = performance_room(Settings.read()).store
    store.record(*recent(timed_jobs(60)))
    trained = animatize("train", "--pipeline", "image", "--json").document["trained"]
    assert trained[0]["version"] == "1"
    for name, url in targets.items():
        monkeypatch.setenv(name, url)
    answer = animatize("migrate", "--json")
    assert answer.code == 0, answer.out
    tables = answer.document["moved"][2]["tables"]
    assert tables["model_versions"] == 1
    assert tables["runs"] == 1
    shutil.copy(DAGSTER_YAML, data_dir / "dagster" / "dagster.yaml")
    shutil.rmtree(data_dir / "performance" / "estimators" / "copies")
    room = performance_room(Settings.read())
    (version,) = room.registry.rows.versions()
    model, _ = room.registry.load(version)  # through MLflow, as the copies are gone
    assert hasattr(model, "predict")
    again = animatize("train", "--pipeline", "image", "--json").document["trained"]
    assert again[0]["version"] == "2"
