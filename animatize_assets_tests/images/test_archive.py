"""Which images are untouched, and what becomes of the rows of those that are archived."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.tables import image_aliases
from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.states import ImageStates, Standing, Wanted
from animatize_assets.images.store import ImageStore
from animatize_assets_tests.images.test_states import DAY, register
from animatize_assets_tests.pipeline.cheap import write_images

LATER = DAY + timedelta(days=91)
SINCE = LATER - timedelta(days=90)
TAGS = {"source_image": {"dagster/code_version": "1", "dagster/data_version": "ab"}}


@pytest.fixture
def archive(engine: Engine) -> ImageArchive:
    return ImageArchive(engine, clock=lambda: LATER)


def at(moment: datetime, engine: Engine) -> ImageStates:
    return ImageStates(engine, clock=lambda: moment)


def test_untouched_is_what_nobody_uploaded_worked_on_or_asked_for(
    engine: Engine, archive: ImageArchive
) -> None:
    untouched, worked_on, asked_for, at_work, renamed = register(engine, 5)
    at(SINCE, engine).settle([Standing(worked_on, "complete")])
    RequestLog(engine, clock=lambda: SINCE).write(
        LoggedRequest(asked_for, "generic", "noir", "local", "m", 64, 48, "pan", "made")
    )
    at(DAY, engine).begin([at_work], "run-1")
    with engine.begin() as connection:
        connection.execute(
            insert(image_aliases).values(image_id=5, name="again.jpg", registered_at=SINCE)
        )
    assert archive.untouched(SINCE, limit=10) == (untouched,)
    assert archive.untouched(DAY, limit=10) == ()  # what is touched at that moment is touched
    week_later = archive.untouched(SINCE + timedelta(days=7), limit=10)
    assert week_later == (untouched, worked_on, asked_for, renamed)
    assert archive.untouched(SINCE + timedelta(days=7), limit=2) == (untouched, worked_on)


def test_an_archived_image_is_left_out_until_it_comes_back(
    engine: Engine, archive: ImageArchive
) -> None:
    one, other = register(engine, 2, state="complete")
    images = ImageStore(UPath("memory://archive"), engine, ImageLimits())
    states = at(LATER, engine)
    assert archive.add({one: TAGS, "nobody-0000000000000000": {}}) == {one}
    assert archive.add({one: TAGS}) == frozenset()
    assert (archive.keys(), archive.count()) == ((one,), 1)
    assert (images.keys(), images.keys(archived=True)) == ((other,), (one, other))
    assert states.counts() == {"archived": 1, "complete": 1}
    listed = states.page(Wanted(), before=None, limit=10).images
    assert [image.image_key for image in listed] == [other]
    listed = states.page(Wanted(state="archived"), before=None, limit=10).images
    assert [(image.image_key, image.state) for image in listed] == [(one, "archived")]
    (found,) = archive.find([other, one, one])
    assert (found.image_key, found.archived_at) == (one, LATER)
    assert found.materializations == TAGS
    assert archive.remove(one)
    assert not archive.remove(one)
    assert images.keys() == (one, other)
    assert states.counts() == {"unknown": 1, "complete": 1}
    assert archive.untouched(LATER, limit=10) == (other,)  # coming back is a touch


def test_what_is_touched_meanwhile_is_not_archived(engine: Engine, archive: ImageArchive) -> None:
    touched, at_work = register(engine, 2)
    at(LATER, engine).settle([Standing(touched, "complete")])
    at(DAY, engine).begin([at_work], "run-1")
    known = {touched: TAGS, at_work: TAGS}
    assert archive.add(known, untouched_since=SINCE) == frozenset()
    assert archive.add(known) == {touched}  # a person may; but not what a run works on


def test_a_run_that_was_late_does_not_unarchive(engine: Engine, archive: ImageArchive) -> None:
    (image,) = register(engine, 1)
    archive.add({image: TAGS})
    states = at(LATER, engine)
    states.begin([image], "late")
    states.settle([Standing(image, "complete", "local", "pan")])
    assert states.counts() == {"archived": 1}


def test_the_same_bytes_again_are_a_touch(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    images = ImageStore(UPath(tmp_path / "data"), engine, ImageLimits())
    (file,) = write_images(tmp_path / "given", 1)
    key = images.ingest(file).image_key or ""
    before = at(LATER, engine).of(key)
    images.ingest(file)
    after = at(LATER, engine).of(key)
    assert before is not None
    assert after is not None
    assert after.updated_at > before.updated_at
    engine.dispose()
