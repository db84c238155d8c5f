"""``/api/images`` over real HTTP."""

from __future__ import annotations

import io
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from animatize_assets.images.naming import content_hash
from animatize_assets.images.states import ImageStates
from animatize_assets.orchestration import image_keys
from animatize_assets.performance.models import JobParameters, JobRecord
from animatize_assets.web.routes.images import LONGEST_NAME, file_name
from animatize_assets.web.service import Service
from animatize_assets_tests.pipeline.cheap import wish
from animatize_assets_tests.web.made_images import animate, ingest

IMAGES = "/api/images"


def picture(seed: int = 0, side: int = 24) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def send(client: httpx.Client, content: bytes, name: str = "Some Picture.png") -> httpx.Response:
    return client.post(IMAGES, files={"file": (name, content)})


# --- upload ---------------------------------------------------------------------------------


def test_an_upload_is_taken_once(client: httpx.Client, service: Service) -> None:
    content = picture()
    first = send(client, content)
    key = f"some-picture-{content_hash(content)[:16]}"
    assert first.status_code == 201
    assert first.json() == {"file": "Some Picture.png", "status": "accepted", "image_key": key}
    assert first.headers["location"] == f"{IMAGES}/{key}"
    again = send(client, content, "Another name.png")
    assert again.status_code == 200
    assert again.json() == {"file": "Another name.png", "status": "duplicate", "image_key": key}
    assert service.images.get(key).aliases == ("Another name.png",)
    assert image_keys(service.dagster) == (key,)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "image_empty"),
        (b"no picture at all", "image_format_unsupported"),
        (picture()[:-40], "image_body_corrupt"),
        (picture(side=8), "image_too_small"),
    ],
)
def test_a_refused_upload_is_told_as_ingest_tells_it(
    client: httpx.Client, content: bytes, code: str, service: Service
) -> None:
    answer = send(client, content)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert service.images.keys() == ()


def test_an_upload_over_the_limit_is_refused(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.images, "_limits", service.images.limits.__class__(max_bytes=500))
    answer = send(client, picture(side=64))
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_many_bytes")


def test_more_than_any_setting_allows_is_not_read(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            f"POST {IMAGES} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 200000000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        answer = connection.recv(1_000).decode()
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "body",
    [{}, {"files": {"file": "text"}, "data": {}}, {"files": [("file", b"a"), ("file", b"b")]}],
)
def test_an_upload_without_one_file_is_told_what_is_missing(
    client: httpx.Client, body: dict[str, Any]
) -> None:
    if body.get("files") == {"file": "text"}:
        body = {"data": {"file": "text"}}
    answer = client.post(IMAGES, **body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


@given(st.text(max_size=400))
def test_a_name_never_leads_anywhere(name: str) -> None:
    found = file_name(name)
    assert 0 < len(found) <= LONGEST_NAME
    assert not set(found) & {"/", "\\", "\0", "\n"}


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\me\\Räuber.jpg", "Räuber.jpg"),
        ("a\r\nb.png", "ab.png"),
        ("", "upload"),
        (None, "upload"),
        ("/", "upload"),
    ],
)
def test_of_a_path_the_name_is_kept(given_name: str | None, name: str) -> None:
    assert file_name(given_name) == name


# --- list -----------------------------------------------------------------------------------


def listed(client: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = client.get(IMAGES, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_folder_without_images_lists_none(client: httpx.Client) -> None:
    assert listed(client) == {"images": [], "next_cursor": None, "counts": {}}


def test_images_are_listed_filtered_and_paged(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    keys = ingest(service, tmp_path / "in", 5)
    wish(service.data_dir, fail={keys[1]: "generated_picture"})
    animate(service, keys[:3])
    assert listed(client)["counts"] == {"complete": 2, "failed": 1, "missing": 2}

    def found(**query: Any) -> list[str]:
        return [each["image_key"] for each in listed(client, **query)["images"]]

    assert found() == keys[::-1]
    assert found(state="complete") == [keys[2], keys[0]]
    assert found(state="missing") == [keys[4], keys[3]]
    assert found(provider="local", movement="zoom_in") == [keys[2], keys[0]]
    assert found(search=keys[3][-6:]) == [keys[3]]
    first = listed(client, limit=2)
    second = listed(client, limit=2, cursor=first["next_cursor"])
    third = listed(client, limit=2, cursor=second["next_cursor"])
    paged = [each["image_key"] for page in (first, second, third) for each in page["images"]]
    assert paged == keys[::-1]
    assert third["next_cursor"] is None
    failed = listed(client, state="failed")["images"][0]
    assert failed["reason"] == "generated_picture: generated_picture refused."
    assert failed["run_id"] == "run-1"
    assert failed["registered_at"].endswith("Z")


def test_what_was_made_before_there_were_rows_is_looked_up(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    keys = ingest(service, tmp_path / "in", 2)
    animate(service, keys[:1], noted=False)
    states = ImageStates(service.images.engine)
    states.begin(keys, "a run that Dagster does not know")
    assert listed(client)["counts"] == {"complete": 1, "missing": 1}


@pytest.mark.parametrize(
    "query",
    [
        {"state": "odd"},
        {"limit": 0},
        {"limit": 201},
        {"cursor": "abc"},
        {"search": "Q%"},
        {"unheard": "of"},
    ],
)
def test_a_list_that_cannot_be_is_refused(client: httpx.Client, query: dict[str, Any]) -> None:
    answer = client.get(IMAGES, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


# --- one image ------------------------------------------------------------------------------


def test_one_image_with_everything_known(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    made, bare = ingest(service, tmp_path / "in", 2)
    animate(service, [made])
    told = client.get(f"{IMAGES}/{made}").json()
    assert (told["image_key"], told["state"], told["run_id"]) == (made, "complete", "run-1")
    assert told["source_image"]["image_key"] == made
    assert told["movement_prediction"]["camera_path"]["move"] == "zoom_in"
    assert told["generated_picture"]["provider"] == "local"
    assert told["animatic_clip"]["duration_s"] > 0
    for part, link in told["links"].items():
        assert link == f"{IMAGES}/{made}/{part.replace('_', '-')}"
        assert client.get(link).status_code == 200
    alone = client.get(f"{IMAGES}/{bare}").json()
    assert (alone["state"], alone["scene_analysis"], alone["animatic_clip"]) == (
        "missing",
        None,
        None,
    )
    assert {part for part, link in alone["links"].items() if link} == {
        "source",
        "pictures",
    }
    assert str(service.data_dir) not in json.dumps(told)


@pytest.mark.parametrize(
    "path",
    [
        "never-there-0123456789abcdef",
        "never-there-0123456789abcdef/clip",
        "..%2f..%2fanimatize.db",
        "%2e%2e/animatize.db",
        "odd",
        "UPPER-0123456789abcdef",
    ],
)
def test_what_is_no_image_is_not_found(client: httpx.Client, path: str) -> None:
    answer = client.get(f"{IMAGES}/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


# --- files ----------------------------------------------------------------------------------


@pytest.fixture
def made(service: Service, tmp_path: Path) -> str:
    (key,) = ingest(service, tmp_path / "in", 1)
    animate(service, [key])
    return key


TYPES = {
    "source": "image/png",
    "thumbnail": "image/webp",
    "overlay": "image/webp",
    "depth": "image/png",
    "picture": "image/png",
    "picture-thumbnail": "image/webp",
    "preview": "image/webp",
    "clip": "video/mp4",
}


@pytest.mark.parametrize("part", TYPES)
def test_a_part_has_its_type_and_an_etag(client: httpx.Client, made: str, part: str) -> None:
    answer = client.get(f"{IMAGES}/{made}/{part}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TYPES[part]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    if TYPES[part].startswith("image/") and answer.content[:4] != b"made":
        Image.open(io.BytesIO(answer.content)).verify()
    etag = answer.headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get(f"{IMAGES}/{made}/{part}", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    other = client.get(f"{IMAGES}/{made}/{part}", headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, answer.content)


def test_a_clip_can_be_had_in_parts(client: httpx.Client, made: str) -> None:
    path = f"{IMAGES}/{made}/clip"
    whole = client.get(path)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    some = client.head(path, headers={"range": "bytes=10-19"})
    assert (some.status_code, some.headers["content-length"]) == (206, "10")

    def part(wanted: str, **headers: str) -> httpx.Response:
        return client.get(path, headers={"range": wanted, **headers})

    middle = part("bytes=10-19")
    assert (middle.status_code, middle.content) == (206, whole.content[10:20])
    assert middle.headers["content-range"] == f"bytes 10-19/{size}"
    assert part("bytes=-5").content == whole.content[-5:]
    assert part("bytes=5-").content == whole.content[5:]
    assert part("bytes=0-3", **{"if-range": whole.headers["etag"]}).status_code == 206
    assert part("bytes=0-3", **{"if-range": '"other"'}).content == whole.content
    beyond = part(f"bytes={size + 1}-")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{size}"


def test_a_part_that_is_not_there_is_told(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    (bare,) = ingest(service, tmp_path / "in", 1)
    answer = client.get(f"{IMAGES}/{bare}/clip")
    assert (answer.status_code, answer.json()["code"]) == (404, "part_not_found")
    assert client.get(f"{IMAGES}/{bare}/record.json").status_code == 404


# --- before and after a run -----------------------------------------------------------------


def test_all_images_are_estimated_and_quoted_without_naming_them(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    for what in ("estimate", "quote"):
        nothing = client.post(f"{IMAGES}/{what}", json={"image_keys": "all"})
        assert nothing.status_code == 200, nothing.text
    keys = ingest(service, tmp_path, 3)
    for what in ("estimate", "quote"):
        everything = client.post(f"{IMAGES}/{what}", json={"image_keys": "all"}).json()
        assert everything == client.post(f"{IMAGES}/{what}", json={"image_keys": keys}).json()
        assert client.post(f"{IMAGES}/{what}", json={"image_keys": "some"}).status_code == 422


def test_a_list_is_estimated_and_quoted_as_on_the_command_line(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    keys = ingest(service, tmp_path / "in", 3)
    estimate = client.post(f"{IMAGES}/estimate", json={"image_keys": [*keys, keys[0]]}).json()
    assert (estimate["images"], estimate["concurrency"]) == (3, 1)
    assert estimate["seconds"] > 0
    assert set(estimate["stages"]) >= {"scene_analysis", "animatic_clip"}
    free = client.post(f"{IMAGES}/quote", json={"image_keys": keys}).json()
    assert (free["pictures"], free["expected_usd"]) == (3, 0)
    whole = estimate["stages"]["generated_picture"]["seconds"]
    assert free["expected_seconds"] == pytest.approx(whole, rel=0.5)
    paid = client.post(
        f"{IMAGES}/quote", json={"image_keys": keys, "provider": "openai", "size": [640, 360]}
    ).json()
    assert 0 < paid["low_usd"] <= paid["expected_usd"] <= paid["high_usd"]
    assert paid["expected_seconds"] > free["expected_seconds"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image_keys": []}, 422, "invalid_request"),
        ({"image_keys": ["../../x"]}, 422, "invalid_request"),
        ({"image_keys": ["gone-0123456789abcdef"]}, 404, "image_not_found"),
        ({"image_keys": ["gone-0123456789abcdef"], "size": [641, 360]}, 422, "invalid_request"),
        ({"image_keys": ["gone-0123456789abcdef"], "provider": "x"}, 422, "invalid_request"),
    ],
)
@pytest.mark.parametrize("what", ["estimate", "quote"])
def test_a_list_that_cannot_be_told_of_is_refused(
    client: httpx.Client, what: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(f"{IMAGES}/{what}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_provider_that_is_not_set_up_is_not_estimated(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    body = {"image_keys": ingest(service, tmp_path / "in", 1), "provider": "flux"}
    answer = client.post(f"{IMAGES}/estimate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_configured")


def test_a_rating_is_kept_with_the_newest_jobs(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    (key,) = ingest(service, tmp_path / "in", 1)
    path = f"{IMAGES}/{key}/rating"
    none = client.post(path, json={"rating": 5})
    assert (none.status_code, none.json()["code"]) == (409, "no_jobs")
    now = datetime.now(UTC)
    store = service.performance.store
    store.record(
        JobRecord(
            job_id="run-1/animatic_clip",
            pipeline_type="video",
            parameters=JobParameters(job_type="animatic_clip", worker="here"),
            submitted_at=now,
            finished_at=now,
            total_time_seconds=3.0,
            success=True,
            partition_key=key,
        )
    )
    told = client.post(path, json={"rating": 4}).json()
    assert told == {"image_key": key, "rating": 4, "jobs": ["run-1/animatic_clip"]}
    job = store.job("run-1/animatic_clip")
    assert job is not None
    assert job.user_rating == 4
    for wrong in (0, 6, "5", 4.5, True, None):
        assert client.post(path, json={"rating": wrong}).status_code == 422
    assert client.post(path, json={"rating": 3.0}).json()["rating"] == 3
