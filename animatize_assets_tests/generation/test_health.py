"""The breakers of every process, as last seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from animatize_assets.database.engine import open_engine
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.health import HealthBoard, ProviderHealth
from animatize_assets_tests.generation.ledgers import Clock, database


@dataclass(frozen=True)
class Seen:
    provider: str
    state: str
    failures: int = 0
    reason: str | None = None


def test_what_was_noted_is_read_by_any_other_board() -> None:
    clock = Clock()
    with database() as engine:
        assert HealthBoard(engine).read() == ()
        HealthBoard(engine, clock).note(Seen("openai", "closed"))
        HealthBoard(engine, clock).note(Seen("flux", "open", 10, "transient"))
        assert HealthBoard(engine).read() == (
            ProviderHealth("flux", "open", 10, "transient", clock.now, clock.now),
            ProviderHealth("openai", "closed", 0, None, None, clock.now),
        )


def test_it_remembers_since_when_a_provider_is_left_alone() -> None:
    clock = Clock()
    with database() as engine:
        board = HealthBoard(engine, clock)
        opened = clock.now
        board.note(Seen("flux", "open", 10, "transient"))
        clock.advance(minutes=1)
        board.note(Seen("flux", "half_open", 10, "transient"))
        clock.advance(minutes=1)
        board.note(Seen("flux", "open", 11, "quota"))
        (flux,) = board.read()
        assert (flux.opened_at, flux.changed_at, flux.failures) == (opened, clock.now, 11)
        board.note(Seen("flux", "closed"))
        (flux,) = board.read()
        assert (flux.state, flux.opened_at, flux.reason) == ("closed", None, None)


def test_many_may_note_the_same_provider_at_once(tmp_path: Path) -> None:
    with database(tmp_path) as engine:
        board = HealthBoard(engine)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(board.note, [Seen("flux", "open", n) for n in range(16)]))
        (flux,) = board.read()
        assert flux.failures in range(16)


def test_a_board_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/without tables.db")
    with pytest.raises(StorageFailed, match="health of 'flux'"):
        HealthBoard(engine).note(Seen("flux", "open"))
    engine.dispose()
