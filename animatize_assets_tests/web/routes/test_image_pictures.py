"""The pictures that an image was given, and its composition, over real HTTP."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from animatize_assets.pipeline.making import default_stages
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import run_stages
from animatize_assets.web.dashboard.drawings import KEPT_BYTES, LONG_SIDE_PX, MOST_BYTES, Drawings
from animatize_assets.web.service import Service
from animatize_assets_tests.web.made_images import ask, ingest, keep, picture_of

OPENAI, LOCAL = "a" * 32, "b" * 32


@pytest.fixture
def key(service: Service, tmp_path: Path) -> str:
    return ingest(service, tmp_path / "files", 1)[0]


@pytest.fixture
def with_two(service: Service, key: str) -> str:
    """An image that two providers made a picture of, each in a run."""
    for result_key, provider, color in ((OPENAI, "openai", 10), (LOCAL, "local", 200)):
        keep(service.workplace, key, result_key, provider, content=picture_of(color))
        ask(service.workplace, key, result_key, provider, run_id=f"run-{provider}")
    return key


def test_every_picture_is_listed_and_sent(client: httpx.Client, with_two: str) -> None:
    told = client.get(f"/api/images/{with_two}/pictures").json()["pictures"]
    assert [(each["provider"], each["run_id"]) for each in told] == [
        ("local", "run-local"),
        ("openai", "run-openai"),
    ]
    assert (told[1]["seconds"], told[1]["cost_usd"], told[1]["prompt"]) == (
        3.5,
        0.25,
        "Slow push in.",
    )
    sent = client.get(told[1]["file"])
    assert (sent.content, sent.headers["content-type"]) == (picture_of(10), "image/png")
    again = client.get(told[1]["file"], headers={"If-None-Match": sent.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    told_of = client.head(told[1]["file"])
    assert (told_of.content, told_of.headers["content-length"]) == (b"", str(len(picture_of(10))))


def test_what_is_gone_is_told(client: httpx.Client, service: Service, key: str) -> None:
    ask(service.workplace, key, OPENAI, "openai")
    (told,) = client.get(f"/api/images/{key}/pictures").json()["pictures"]
    assert (told["file"], told["provider"]) == (None, "openai")
    answer = client.get(f"/api/images/{key}/pictures/{OPENAI}")
    assert (answer.status_code, answer.json()["code"]) == (404, "part_not_found")


def test_a_damaged_picture_is_not_sent(client: httpx.Client, service: Service, key: str) -> None:
    record = keep(service.workplace, key, OPENAI, "openai", content=picture_of(10))
    ask(service.workplace, key, OPENAI, "openai")
    (service.data_dir / record.path).write_bytes(b"damaged")
    assert client.get(f"/api/images/{key}/pictures/{OPENAI}").status_code == 404


def test_a_picture_of_another_image_is_not_sent(
    client: httpx.Client, service: Service, with_two: str, tmp_path: Path
) -> None:
    other = ingest(service, tmp_path / "files", 2)[1]
    assert client.get(f"/api/images/{other}/pictures").json() == {"pictures": []}
    assert client.get(f"/api/images/{other}/pictures/{OPENAI}").status_code == 404


@pytest.mark.parametrize("path", ["pictures", f"pictures/{OPENAI}", "composition"])
def test_an_image_that_is_not_there_has_none(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/images/nothing-0123456789abcdef/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")


# --- side by side ---------------------------------------------------------------------------


def row(page: str, name: str) -> list[str]:
    found = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', page)
    assert found is not None
    return [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", found[1])]


def test_two_providers_stand_side_by_side(client: httpx.Client, with_two: str) -> None:
    page = client.get(f"/images/{with_two}/pictures?left=openai&right=local").text
    shown = re.findall(r'<img src="([^"]*)"', page)
    assert shown == [f"/api/images/{with_two}/pictures/{each}" for each in (OPENAI, LOCAL)]
    assert row(page, "Model") == ["openai-model", "local-model"]
    assert row(page, "Time of its calls") == ["3.5 s", "3.5 s"]
    assert row(page, "Cost") == ["$0.25", "$0.25"]
    assert row(page, "Prompt") == ["Slow push in.", "Slow push in."]
    assert row(page, "Run") == ["run-openai", "run-local"]
    by_run = client.get(f"/images/{with_two}/pictures?left=run-openai&right=run-local").text
    assert re.findall(r'<img src="([^"]*)"', by_run) == shown


def test_an_evicted_picture_is_said_to_be_gone(
    client: httpx.Client, service: Service, with_two: str
) -> None:
    ask(service.workplace, with_two, "c" * 32, "flux", cost_usd=None)
    page = client.get(f"/images/{with_two}/pictures?left=flux&right=local").text
    assert "This picture is not stored any more: it was evicted from the cache." in page
    assert row(page, "Cost")[0] == "not known"
    assert row(page, "Prompt")[0] == "not kept"


def test_an_image_without_two_pictures_says_what_to_do(
    client: httpx.Client, service: Service, key: str
) -> None:
    assert (
        "No picture of this image has been made yet." in client.get(f"/images/{key}/pictures").text
    )
    keep(service.workplace, key, LOCAL, "local", content=picture_of(1))
    page = client.get(f"/images/{key}/pictures").text
    assert f"animatize run {key} --provider NAME" in page


def test_unknown_names_are_said_and_escaped(client: httpx.Client, with_two: str) -> None:
    page = client.get(f"/images/{with_two}/pictures", params={"left": "<b>x</b>"}).text
    assert "in or as “<b>x</b>”" in html.unescape(page)
    assert "<b>x" not in page


# --- composition ----------------------------------------------------------------------------


@pytest.fixture
def analysed(service: Service, tmp_path: Path) -> str:
    """A picture of 1,600 px that was really analysed."""
    pixels = np.zeros((900, 1600, 3), np.uint8)
    pixels[450:] = (40, 90, 40)
    pixels[300:600, 700:900] = (220, 60, 60)
    file = tmp_path / "wide.png"
    Image.fromarray(pixels).save(file)
    key = service.images.ingest(file).image_key or ""
    with service.workplace.workshop() as workshop:
        assert workshop.stages.keys() == default_stages().keys()
        made = run_stages(workshop, key, PipelineRequest(), ("source_image", "scene_analysis"))
        assert all(outcome.is_complete for outcome in made)
    return key


def test_the_composition_is_large_and_drawn_once(
    client: httpx.Client, analysed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = client.get(f"/api/images/{analysed}/composition")
    assert sent.headers["content-type"] == "image/webp"
    assert len(sent.content) <= MOST_BYTES
    with Image.open(io.BytesIO(sent.content)) as drawn:
        assert drawn.size == (LONG_SIDE_PX, 720)
    monkeypatch.setattr(Drawings, "_drawn", None)  # whoever draws again fails
    assert client.get(f"/api/images/{analysed}/composition").content == sent.content
    etag = {"If-None-Match": sent.headers["etag"]}
    assert client.get(f"/api/images/{analysed}/composition", headers=etag).status_code == 304


def test_drawings_in_memory_are_bounded(service: Service, analysed: str) -> None:
    roomy, tiny = Drawings(service, kept_bytes=KEPT_BYTES), Drawings(service, kept_bytes=1)
    assert roomy.composition(analysed) is roomy.composition(analysed)
    first, second = tiny.composition(analysed), tiny.composition(analysed)
    assert first == second
    assert first is not second


def test_what_was_not_analysed_has_no_composition(client: httpx.Client, key: str) -> None:
    answer = client.get(f"/api/images/{key}/composition")
    assert (answer.status_code, answer.json()["code"]) == (404, "part_not_found")
