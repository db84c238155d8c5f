"""The result store against a dictionary, and what processes and crashes do to it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, event
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.result_index import About
from animatize_assets.generation.result_leftovers import MOST_DAMAGED
from animatize_assets.generation.result_store import ResultStore

START = datetime(2026, 11, 1, tzinfo=UTC)
TTL = timedelta(days=7)


def about(text: str = "a red car", structured: str = "s", canonical: str = "c") -> About:
    return About(
        kind="picture", structured_key=structured, canonical_key=canonical, text=text, record="{}"
    )


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def open_store(tmp_path: Path, engine: Engine, clock: Clock, **options: Any) -> ResultStore:
    return ResultStore(UPath(tmp_path), engine, clock=clock, ttl=TTL, **options)


def test_what_was_put_comes_back_with_all_that_is_known(
    tmp_path: Path, engine: Engine, clock: Clock
) -> None:
    store = open_store(tmp_path, engine, clock)
    given = About(
        kind="picture",
        structured_key="s" * 64,
        canonical_key="c" * 64,
        text="a red car",
        record='{"provider": "flux"}',
        image_key="boat-0123456789abcdef",
        vector=b"\x00\x01",
    )
    assert store.put("k" * 64, b"bytes", given)
    found = store.get("k" * 64)
    assert found is not None
    assert found.content == b"bytes"
    assert {name: getattr(found.result, name) for name in asdict(given)} == asdict(given)
    assert found.result.sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert (found.result.byte_count, found.result.stored_at) == (5, START)
    assert store.get("other") is None
    assert store.usage().hit_rate == 0.5


def test_use_is_noted_to_the_minute(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    store.put("k", b"bytes", about())
    clock.pass_by(seconds=59)
    for _ in range(3):
        store.get("k")
    assert store.usage().uses == 0
    clock.pass_by(seconds=1)
    for _ in range(3):
        store.get("k")
    assert store.usage().uses == 1


def test_use_prolongs_life(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    store.put("k", b"bytes", about())
    for _ in range(3):
        clock.pass_by(days=6)
        assert store.get("k") is not None
    clock.pass_by(days=7, seconds=1)
    assert store.get("k") is None
    assert store.evict().expired == 1
    assert store.usage().entries == 0
    assert not store.path_of(hashlib.sha256(b"bytes").hexdigest()).exists()


def test_a_result_larger_than_the_limit_is_not_kept(
    tmp_path: Path, engine: Engine, clock: Clock
) -> None:
    store = open_store(tmp_path, engine, clock, max_bytes=10)
    store.put("small", b"1234", about())
    assert not store.put("large", bytes(11), about())
    assert store.get("large") is None
    assert store.get("small") is not None


def test_the_limit_holds_when_two_fill_it(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    stores = [open_store(tmp_path, engine, clock, max_bytes=1000) for _ in range(2)]
    for number in range(60):
        clock.pass_by(seconds=1)
        content = f"{number:03}".encode() * 20
        assert stores[number % 2].put(f"k{number}", content, about())
        assert stores[0].usage().bytes <= 1000
    assert stores[0].get("k59") is not None


def test_what_is_pinned_is_never_deleted(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    kept = hashlib.sha256(b"kept").hexdigest()

    def pinned(contents: Collection[str]) -> Collection[str]:
        return {kept} & set(contents)

    store = open_store(tmp_path, engine, clock, max_bytes=8, pinned=pinned)
    store.put("a", b"kept", about())
    clock.pass_by(days=30)
    for name in ("b", "c", "d"):
        store.put(name, name.encode() * 4, about())
    clock.pass_by(days=30)
    store.clean()
    assert store.path_of(kept).read_bytes() == b"kept"
    assert store.usage().entries == 1


def test_more_than_a_page_is_evicted(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    for number in range(520):
        content = f"{number:04}"
        store.index.write(content, about(), sha256=content, byte_count=4, now=clock())
        clock.pass_by(seconds=1)
    small = open_store(tmp_path, engine, clock, max_bytes=40)
    assert small.evict().over_limit == 510
    assert small.usage().entries == 10
    assert small.index.find("0519", not_before=START) is not None


def test_a_damaged_file_is_set_aside(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    store.put("a", b"bytes", about())
    store.put("b", b"bytes", about())
    store.path_of(hashlib.sha256(b"bytes").hexdigest()).write_bytes(b"byte")
    assert store.get("a") is None
    aside = list((UPath(tmp_path) / "results" / "damaged").iterdir())
    assert [each.read_bytes() for each in aside] == [b"byte"]
    assert store.usage().damaged == 1
    assert store.get("b") is None
    assert store.usage().damaged == 1
    assert store.clean().damaged == 1


def test_damaged_files_are_bounded_too(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    for number in range(MOST_DAMAGED + 3):
        content = str(number).encode()
        store.put("k", content, about())
        store.path_of(hashlib.sha256(content).hexdigest()).write_bytes(b"x")
        assert store.get("k") is None
    assert store.usage().damaged == MOST_DAMAGED


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_crash_between_file_and_row_leaves_an_orphan(
    tmp_path: Path, engine: Engine, clock: Clock
) -> None:
    store = open_store(tmp_path, engine, clock)

    def die(*_: object) -> None:
        raise Killed

    event.listen(engine, "before_cursor_execute", die)
    with pytest.raises(Killed):
        store.put("k", b"bytes", about())
    event.remove(engine, "before_cursor_execute", die)
    path = store.path_of(hashlib.sha256(b"bytes").hexdigest())
    assert path.exists()
    assert store.get("k") is None
    assert store.clean().orphans == 0, "it may be getting its row at this moment"
    two_hours_ago = time.time() - 7200
    os.utime(path.path, (two_hours_ago, two_hours_ago))
    assert store.clean().orphans == 1
    assert not path.exists()


def test_cleaning_leaves_what_is_in_use(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    store.put("a", b"bytes", about())
    store.put("b", b"gone", about())
    path = store.path_of(hashlib.sha256(b"bytes").hexdigest())
    os.utime(path.path, (0, 0))
    store.path_of(hashlib.sha256(b"gone").hexdigest()).unlink()
    part = path.parent / ".x.1-2.part"
    part.write_bytes(b"by")
    os.utime(part.path, (0, 0))
    lock = UPath(tmp_path) / "results" / "in-flight" / "x.lock"
    lock.parent.mkdir()
    lock.write_bytes(b"")
    os.utime(lock.path, (0, 0))
    dropped = store.clean()
    assert (dropped.orphans, dropped.without_file) == (1, 1)
    assert lock.exists()
    assert store.get("a") is not None
    assert store.usage().entries == 1


def test_an_unreadable_file_is_no_miss(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    store = open_store(tmp_path, engine, clock)
    store.put("a", b"bytes", about())
    path = store.path_of(hashlib.sha256(b"bytes").hexdigest())
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageFailed, match="could not be read"):
        store.get("a")


def test_lookup_by_meaning_is_by_both_keys_and_the_newest(
    tmp_path: Path, engine: Engine, clock: Clock
) -> None:
    store = open_store(tmp_path, engine, clock)
    for number in range(5):
        store.put(f"k{number}", b"x", about(f"text {number}", "s" if number else "t", "c"))
        clock.pass_by(seconds=1)
    index = store.index
    found = index.same_meaning("s", "c", not_before=START)
    assert found is not None
    assert found.result_key == "k4"
    assert index.same_meaning("s", "d", not_before=START) is None
    texts = [each.text for each in index.newest("s", not_before=START, limit=2)]
    assert texts == ["text 4", "text 3"]
    assert len(index.newest("s", not_before=clock.now - timedelta(seconds=2))) == 2


def _work(folder: str, number: int) -> None:
    engine = open_engine(f"sqlite:///{folder}/animatize.db")
    store = ResultStore(UPath(folder), engine, max_bytes=60)
    for turn in range(12):
        content = f"content {(turn + number) % 5}".encode()
        store.put(f"k{(turn + number) % 5}", content, about())
        found = store.get(f"k{turn % 5}")
        assert found is None or found.content == f"content {turn % 5}".encode()
        if turn % 4 == 0:
            store.clean()
    engine.dispose()


def test_many_processes_share_it(tmp_path: Path, engine: Engine, clock: Clock) -> None:
    engine.dispose()  # no connection is taken along into another process
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(str(tmp_path), each)) for each in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = ResultStore(UPath(tmp_path), engine)
    for number in range(5):
        found = store.get(f"k{number}")
        assert found is None or found.content == f"content {number}".encode()


KEYS = st.sampled_from(["k0", "k1", "k2", "k3"])
CONTENTS = st.sampled_from([b"a" * 10, b"b" * 20, b"c" * 30, b"d" * 45])


class AgainstADictionary(RuleBasedStateMachine):
    """Any order of put, get, expire, evict, damage and crash gives what a dictionary gives."""

    MAX_BYTES = 90

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_engine(f"sqlite:///{self.folder}/animatize.db")
        upgrade(self.engine)
        self.clock = Clock()
        self.pins: set[str] = set()
        self.store = self.reopened()
        self.model: dict[str, tuple[bytes, datetime]] = {}
        self.damaged: set[bytes] = set()
        self.lost: set[bytes] = set()

    def reopened(self) -> ResultStore:
        return ResultStore(
            UPath(self.folder),
            self.engine,
            max_bytes=self.MAX_BYTES,
            ttl=TTL,
            pinned=lambda contents: self.pins & set(contents),
            clock=self.clock,
            use_noted_after=timedelta(0),
        )

    def tick(self) -> None:
        self.clock.pass_by(seconds=1)

    def total(self) -> int:
        return sum(len(content) for content, _used in self.model.values())

    def drop_expired(self) -> None:
        oldest = self.clock.now - TTL
        for key, (content, used) in list(self.model.items()):
            if used < oldest and not self.is_pinned(content):
                del self.model[key]

    def evict_model(self) -> None:
        self.drop_expired()
        for key, (content, _used) in sorted(self.model.items(), key=lambda item: item[1][1]):
            if self.total() <= self.MAX_BYTES:
                break
            if not self.is_pinned(content):
                del self.model[key]

    def is_pinned(self, content: bytes) -> bool:
        return hashlib.sha256(content).hexdigest() in self.pins

    def path(self, content: bytes) -> UPath:
        return self.store.path_of(hashlib.sha256(content).hexdigest())

    @rule(key=KEYS, content=CONTENTS)
    def put(self, key: str, content: bytes) -> None:
        self.tick()
        assert self.store.put(key, content, about())
        self.damaged.discard(content)
        self.lost.discard(content)
        self.model[key] = (content, self.clock.now)
        if self.total() > self.MAX_BYTES:
            self.evict_model()

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        self.tick()
        found = self.store.get(key)
        content, used = self.model.get(key, (b"", START - 2 * TTL))
        if used < self.clock.now - TTL:
            assert found is None
        elif content in self.lost:
            assert found is None
            del self.model[key]
        elif content in self.damaged:
            assert found is None
            self.damaged.discard(content)
            self.model = {k: v for k, v in self.model.items() if v[0] != content}
        else:
            assert found is not None
            assert found.content == content
            self.model[key] = (content, self.clock.now)

    @rule(days=st.floats(0.1, 4))
    def wait(self, days: float) -> None:
        self.clock.pass_by(days=days)

    @rule()
    def evict(self) -> None:
        self.tick()
        self.store.evict()
        self.evict_model()

    @rule()
    def clean(self) -> None:
        self.tick()
        self.store.clean()
        self.evict_model()
        self.model = {k: v for k, v in self.model.items() if v[0] not in self.lost}

    @rule(content=CONTENTS)
    def pin(self, content: bytes) -> None:
        self.pins ^= {hashlib.sha256(content).hexdigest()}

    @rule(content=CONTENTS, how=st.sampled_from([b"", b"x", b"a" * 11]))
    def damage(self, content: bytes, how: bytes) -> None:
        if self.path(content).exists():
            self.path(content).write_bytes(how)
            self.damaged.add(content)

    @rule(content=CONTENTS)
    def lose(self, content: bytes) -> None:
        if self.path(content).exists():
            self.path(content).unlink()
            self.damaged.discard(content)
            self.lost.add(content)

    @rule(key=KEYS, content=CONTENTS)
    def crash_while_putting(self, key: str, content: bytes) -> None:
        def die(*_: object) -> None:
            raise Killed

        event.listen(self.engine, "before_cursor_execute", die)
        with pytest.raises(Killed):
            self.store.put(key, content, about())
        event.remove(self.engine, "before_cursor_execute", die)
        self.damaged.discard(content)
        self.lost.discard(content)
        self.store = self.reopened()

    @rule(key=KEYS)
    def crash_while_evicting(self, key: str) -> None:
        """Its row is gone and its file is not: what such a crash leaves."""
        result = self.store.index.find(key, not_before=START - TTL)
        if result is not None:
            self.store.index.remove([result])
            del self.model[key]
        self.store = self.reopened()

    @invariant()
    def holds_what_the_dictionary_holds(self) -> None:
        if hasattr(self, "store"):
            totals = self.store.index.totals()
            assert (totals.entries, totals.bytes) == (len(self.model), self.total())

    @invariant()
    def pinned_files_stay(self) -> None:
        for content, _used in getattr(self, "model", {}).values():
            if content not in self.damaged | self.lost:
                assert self.path(content).read_bytes() == content

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            shutil.rmtree(self.folder)


def test_against_a_dictionary(sizes: dict[str, Any]) -> None:
    run_state_machine_as_test(
        AgainstADictionary,
        settings=settings(
            max_examples=sizes["result_store"]["histories"],
            stateful_step_count=sizes["result_store"]["steps"],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
