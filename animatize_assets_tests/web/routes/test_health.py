"""``/health`` says whether requests can be answered, and if not, what is missing."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import text

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.web import readiness
from animatize_assets.web.service import Service


def test_a_process_that_answers_lives(client: httpx.Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_a_new_data_folder_is_ready(client: httpx.Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"status": "ready", "checked": list(readiness.CHECKS)}


def faults(client: httpx.Client) -> dict[str, str]:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["retry-after"]
    return {each["where"]: each["message"] for each in answer.json()["errors"]}


def test_a_full_disk_is_told(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness.shutil, "disk_usage", lambda _: SimpleNamespace(free=12_000_000))
    assert faults(client) == {
        "disk": "The data folder's disk has 12 MB left; at least 500 MB are needed."
    }


def test_a_schema_of_another_version_is_told(client: httpx.Client, service: Service) -> None:
    client.get("/health/ready")
    with service.performance.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0042'"))
    assert "revision 0042" in faults(client)["performance database"]


def test_a_data_folder_that_cannot_be_written_is_told(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/health/ready").status_code == 200

    def refuse(dir: Path) -> None:  # noqa: A002  # the library's own name
        raise OSError(errno.EROFS, "Read-only file system", str(dir))

    monkeypatch.setattr(readiness.tempfile, "TemporaryFile", refuse)
    assert faults(client) == {
        "data folder": "The data folder cannot be written: Read-only file system."
    }


def test_a_dagster_that_cannot_be_opened_is_told_without_its_secrets(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_service: Service) -> None:
        raise OrchestrationFailed("postgresql://user:secret@host cannot be reached")

    monkeypatch.setattr(Service, "dagster", property(broken))
    found = faults(client)
    assert list(found) == ["Dagster"]
    assert "secret" not in found["Dagster"]


def test_health_needs_no_token(client: httpx.Client, data_dir: Path) -> None:
    assert client.get("/openapi.json").json()["paths"].keys() >= {"/health/live", "/health/ready"}
