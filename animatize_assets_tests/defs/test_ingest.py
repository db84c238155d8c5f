"""Uploads become images, refused ones go aside, and nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from animatize_assets.defs.build import build_definitions
from animatize_assets.images import store as store_module
from animatize_assets_tests.defs.runs import QUIET
from animatize_assets_tests.pipeline.cheap import write_images


def ingest(instance: dg.DagsterInstance, files: list[str]) -> dg.ExecuteInProcessResult:
    return (
        build_definitions()
        .resolve_job_def("ingest_uploads")
        .execute_in_process(
            instance=instance,
            run_config={"ops": {"ingest_files": {"config": {"files": files}}}, **QUIET},
            raise_on_error=False,
        )
    )


def outcomes(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    return result.output_for_node("ingest_files")  # type: ignore[no-any-return]


def test_uploads_are_stored_registered_and_taken_out_of_the_folder(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    uploads = data_dir / "uploads"
    names = [path.name for path in write_images(uploads, 3)]
    result = ingest(instance, names)
    assert result.success
    keys = [outcome["image_key"] for outcome in outcomes(result)]
    assert list(instance.get_dynamic_partitions("images")) == keys
    assert list(uploads.iterdir()) == []
    noted = instance.fetch_observations(dg.AssetKey("source_image"), limit=10).records
    assert {record.partition_key for record in noted} == set(keys)


def test_a_refused_upload_goes_to_quarantine_with_its_reason(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    uploads = data_dir / "uploads"
    good = write_images(uploads, 1)[0].name
    (uploads / "notes.jpg").write_bytes(b"no picture")
    result = ingest(instance, ["notes.jpg", good])
    assert result.success
    assert [outcome["status"] for outcome in outcomes(result)] == ["rejected", "accepted"]
    assert list(uploads.iterdir()) == []
    assert (data_dir / "quarantine" / "notes.jpg").read_bytes() == b"no picture"
    said = json.loads((data_dir / "quarantine" / "notes.jpg.json").read_text())
    assert said["code"] == "image_format_unsupported"
    (told,) = [e.step_output_data.metadata for e in result.all_events if e.is_successful_output]
    assert told["refused"].value == 1
    assert "image_format_unsupported" in str(told["refused_files"].value)


def test_a_file_from_elsewhere_stays_where_it_is(
    instance: dg.DagsterInstance, data_dir: Path, tmp_path: Path
) -> None:
    good = write_images(tmp_path / "elsewhere", 1)[0]
    bad = tmp_path / "elsewhere" / "bad.png"
    bad.write_bytes(b"")
    result = ingest(instance, [str(good), str(bad)])
    assert [outcome["status"] for outcome in outcomes(result)] == ["accepted", "rejected"]
    assert good.exists()
    assert bad.exists()
    assert not (data_dir / "quarantine").exists()


def test_a_path_that_leads_out_of_the_watched_folder_is_not_emptied(
    instance: dg.DagsterInstance, data_dir: Path, tmp_path: Path
) -> None:
    (data_dir / "uploads").mkdir()
    good = write_images(data_dir / "mine", 1)[0]
    assert ingest(instance, [f"../mine/{good.name}"]).success
    assert good.exists()


def test_the_same_bytes_twice_are_one_image(instance: dg.DagsterInstance, data_dir: Path) -> None:
    uploads = data_dir / "uploads"
    first = write_images(uploads, 1)[0]
    (uploads / "again.png").write_bytes(first.read_bytes())
    result = ingest(instance, [first.name, "again.png"])
    assert [outcome["status"] for outcome in outcomes(result)] == ["accepted", "duplicate"]
    assert len(instance.get_dynamic_partitions("images")) == 1
    assert list(uploads.iterdir()) == []


def test_a_file_that_was_taken_in_before_the_run_broke_is_no_refusal(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    (data_dir / "uploads").mkdir()
    result = ingest(instance, ["gone.png"])
    assert result.success
    assert outcomes(result) == []


def test_a_file_that_cannot_be_stored_stays_and_costs_no_other(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = data_dir / "uploads"
    names = [path.name for path in write_images(uploads, 3)]
    real = store_module.ImageStore.ingest

    def full_disk(self: store_module.ImageStore, path: Path) -> Any:
        if path.name == names[1]:
            raise OSError(28, "No space left on device")
        return real(self, path)

    monkeypatch.setattr(store_module.ImageStore, "ingest", full_disk)
    result = ingest(instance, names)
    assert not result.success
    (failure,) = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    assert failure.user_failure_data is not None
    assert set(failure.user_failure_data.metadata["failed_files"].value) == {names[1]}  # type: ignore[arg-type]
    assert [path.name for path in uploads.iterdir()] == [names[1]]
    assert len(instance.get_dynamic_partitions("images")) == 2


def test_at_most_a_hundred_files_in_one_run(instance: dg.DagsterInstance) -> None:
    result = ingest(instance, [f"{number}.png" for number in range(101)])
    assert not result.success
