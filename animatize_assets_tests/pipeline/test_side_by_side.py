"""Images under way at the same time: nothing waits for a picture that could compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Lock

import pytest
from upath import UPath

from animatize_assets.images.artifacts import Draft
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.desks import Desks
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.side_by_side import run_images
from animatize_assets.pipeline.stages import STAGES, Work
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets.records import Record
from animatize_assets_tests.pipeline.cheap import cheap_stages, wish, write_images

REQUEST = PipelineRequest()
PATIENCE_S = 20.0
Make = Callable[[Work, Draft], Record]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    data = tmp_path / "data"
    stores = open_stores(UPath(data), ImageLimits())
    opened = open_workshop(*stores)
    return replace(opened, stages=cheap_stages(data), desks=Desks(1))


@pytest.fixture
def keys(workshop: Workshop, tmp_path: Path) -> list[str]:
    paths = write_images(tmp_path / "given", 6)
    return [workshop.images.ingest(path).image_key or "" for path in paths]


def with_picture(workshop: Workshop, wrapped: Callable[[Make], Make]) -> Workshop:
    stage = workshop.stages["generated_picture"]
    changed = replace(stage, make=wrapped(stage.make))
    return replace(workshop, stages={**workshop.stages, "generated_picture": changed})


def test_every_image_ends_complete_and_in_order(workshop: Workshop, keys: list[str]) -> None:
    told = list(run_images(workshop, keys, REQUEST, at_once=3))
    for key in keys:
        assert [each.stage for each in told if each.image_key == key] == list(STAGES)
    assert all(each.is_complete for each in told)


def test_images_wait_for_their_pictures_together(workshop: Workshop, keys: list[str]) -> None:
    """All six are at their provider at once, although only one desk is there to compute at."""
    together = Barrier(len(keys))

    def waiting(make: Make) -> Make:
        def make_picture(work: Work, draft: Draft) -> Record:
            with work.workshop.desks.left():
                together.wait(PATIENCE_S)
            return make(work, draft)

        return make_picture

    told = list(run_images(with_picture(workshop, waiting), keys, REQUEST, at_once=len(keys)))
    assert all(each.is_complete for each in told)


def test_no_more_compute_at_once_than_there_are_desks(workshop: Workshop, keys: list[str]) -> None:
    lock, at_work, most = Lock(), 0, 0

    def counted(make: Make) -> Make:
        def make_picture(work: Work, draft: Draft) -> Record:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            try:
                return make(work, draft)
            finally:
                with lock:
                    at_work -= 1

        return make_picture

    list(run_images(with_picture(workshop, counted), keys, REQUEST, at_once=len(keys)))
    assert most == 1


def test_a_failed_image_costs_no_other(workshop: Workshop, keys: list[str], tmp_path: Path) -> None:
    wish(tmp_path / "data", fail={keys[2]: "motion_prompt"})
    told = list(run_images(workshop, keys, REQUEST, at_once=4))
    assert {each.image_key for each in told if each.status == "failed"} == {keys[2]}
    assert sum(each.is_complete for each in told) == 6 * 6 - 2  # the prompt and its picture


def test_who_stops_listening_ends_the_work(workshop: Workshop, keys: list[str]) -> None:
    started: list[str] = []

    def noted(make: Make) -> Make:
        def make_picture(work: Work, draft: Draft) -> Record:
            started.append(work.image_key)
            return make(work, draft)

        return make_picture

    outcomes = run_images(with_picture(workshop, noted), keys, REQUEST, at_once=2)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(started) < len(keys)


def test_one_at_a_time_is_one_after_the_other(workshop: Workshop, keys: list[str]) -> None:
    meeting = Barrier(2)

    def alone(make: Make) -> Make:
        def make_picture(work: Work, draft: Draft) -> Record:
            with work.workshop.desks.left(), pytest.raises(BrokenBarrierError):
                meeting.wait(0.01)
            return make(work, draft)

        return make_picture

    told = list(run_images(with_picture(workshop, alone), keys, REQUEST, at_once=1))
    assert [each.image_key for each in told] == [key for key in keys for _ in STAGES]
