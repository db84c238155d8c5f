"""The list is right after runs that died, and while Dagster cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from animatize_assets.errors import OrchestrationFailed, StorageFailed
from animatize_assets.images.states import ImageStates, Wanted
from animatize_assets.web import gallery as module
from animatize_assets.web.gallery import ASK_DAGSTER_EVERY_S, Gallery
from animatize_assets.web.service import Service
from animatize_assets_tests.web.made_images import animate, ingest

GONE = "a run that Dagster does not know"


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def first_page(gallery: Gallery) -> list[str]:
    found = gallery.page(Wanted(), before=None, limit=50).images
    return [image.state for image in found]


def test_many_unknown_images_are_looked_up_in_a_thread(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_UP_AT_ONCE", 1)
    keys = ingest(service, tmp_path / "in", 4)
    animate(service, keys[:2], noted=False)
    ImageStates(service.images.engine).begin(keys, GONE)
    gallery = service.gallery
    gallery.catch_up()
    assert gallery._thread is not None
    gallery._thread.join(60)
    assert gallery.counts() == {"complete": 2, "missing": 2}
    service.close()


def test_a_run_that_goes_on_is_left_alone_and_seldom_asked_after(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[frozenset[str]] = []
    over: set[str] = set()

    def ended(_instance: Any, runs: frozenset[str]) -> frozenset[str]:
        asked.append(runs)
        return runs & over

    monkeypatch.setattr("animatize_assets.orchestration.ended_runs", ended)
    (key,) = ingest(service, tmp_path / "in", 1)
    ImageStates(service.images.engine).begin([key], "run-1")
    timer = Timer()
    gallery = Gallery(service.workplace, lambda: service.dagster, timer)
    assert first_page(gallery) == first_page(gallery) == ["in_progress"]
    assert asked == [{"run-1"}]
    over.add("run-1")
    timer.now = ASK_DAGSTER_EVERY_S
    assert first_page(gallery) == ["missing"]
    assert len(asked) == 2
    service.close()


def test_the_list_stands_while_dagster_cannot_be_asked(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise OrchestrationFailed("no Dagster here")

    keys = ingest(service, tmp_path / "in", 2)
    ImageStates(service.images.engine).begin(keys[:1], "run-1")
    assert first_page(Gallery(service.workplace, broken)) == ["missing", "in_progress"]
    assert "no Dagster here" in caplog.text
    service.close()


def test_an_image_whose_results_cannot_be_read_is_told_as_failed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_artifacts: Any, image_key: str) -> Any:
        raise StorageFailed(f"The disk of {image_key} is broken.")

    monkeypatch.setattr(module, "look_up", broken)
    (key,) = ingest(service, tmp_path / "in", 1)
    states = ImageStates(service.images.engine)
    states.begin([key], GONE)
    states.forget_runs([GONE])
    line = service.gallery.line(key)
    assert line is not None
    assert (line.state, line.reason) == ("failed", f"The disk of {key} is broken.")
    service.close()
