"""Archived images over HTTP, and uploads and batches while the disk is nearly full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.disk_space import DiskSpace
from animatize_assets.orchestration import archive_images, image_keys
from animatize_assets.web.service import Service
from animatize_assets_tests.images.test_disk_space import Disk
from animatize_assets_tests.web.made_images import ingest
from animatize_assets_tests.web.routes.test_images import IMAGES, picture, send


def listed(client: httpx.Client, **query: Any) -> list[str]:
    answer = client.get(IMAGES, params=query)
    assert answer.status_code == 200, answer.text
    return [image["image_key"] for image in answer.json()["images"]]


def test_an_archived_image_is_listed_when_asked_for_and_comes_back_with_its_bytes(
    client: httpx.Client, service: Service
) -> None:
    keys = [send(client, picture(seed)).json()["image_key"] for seed in range(2)]
    archive_images(service.dagster, ImageArchive(service.images.engine), keys[:1])
    assert listed(client) == keys[1:]
    assert listed(client, state="archived") == keys[:1]
    assert client.get(IMAGES).json()["counts"]["archived"] == 1
    assert client.get(f"{IMAGES}/{keys[0]}").json()["state"] == "archived"
    assert image_keys(service.dagster) == (keys[1],)
    again = send(client, picture(0))
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    assert listed(client) == keys[::-1]
    assert image_keys(service.dagster) == (keys[1], keys[0])


def test_a_disk_that_is_nearly_full_takes_no_work_until_it_is_freed(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    keys = ingest(service, tmp_path / "in", 1)
    disk = Disk(free=0)
    space = DiskSpace((service.data_dir,), 1, 0.0, usage=disk)
    vars(service.workplace)["generation"] = service.generation.changed(disk=space)
    refused = [
        send(client, picture(7)),
        client.post("/api/batches", json={"image_keys": keys}),
    ]
    for answer in refused:
        assert answer.status_code == 507
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["code"] == "disk_nearly_full"
    assert listed(client) == keys
    disk.free = 1
    assert send(client, picture(7)).status_code == 201
