"""What the caches cost: the result store, and finding what may be reused.

A hit and a miss of the result store against a bare read of the same file; looking for something to
reuse with 1,000, 10,000 and 100,000 entries in the store (goal: at most 10 ms at 100,000, median),
once with up to 200 texts under each structured key and once with all entries under a single one,
which is the worst there can be; and the memory that 100,000 entries take (goal: none).

    python benchmarks/cache.py [--quick] [--json] [--sentence-model DIR]

With ``--sentence-model`` (a folder with all-MiniLM-L6-v2) encoding a text, and looking for similar
ones of a text that was encoded before, are measured too.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from report import REPEATS, Measurement, alternate, compare, finish, measure, medians, not_measured
from sqlalchemy import Engine
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.tables import stored_results
from animatize_assets.generation.memory_cache import MemoryCache, size_in_bytes
from animatize_assets.generation.result_index import About, ResultIndex
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.generation.semantic.canonical import canonical_key, canonical_text
from animatize_assets.generation.semantic.encoder import Encoded, SentenceEncoder
from animatize_assets.generation.semantic.reuse import Reuser
from animatize_assets.generation.semantic.similar import packed

PICTURE_BYTES = 1_500_000
"""A 1024 x 1024 PNG of a photograph."""

LOOKUP_GOAL_MS = 10.0
FLAT_MB = 20.0
KEY = "k" * 64
AT_ONCE = 40
PER_KEY = 200
LOOKUPS = 60

SUBJECTS = ("boat", "car", "horse", "lantern", "robot", "dancer", "bridge", "tower", "cat", "bird")
PLACES = ("on a lake", "in an alley", "under an oak", "by the sea", "on a roof", "in the snow")
LIGHTS = ("soft light", "hard light", "moonlight", "neon light", "golden hour light")
MOVES = ("the camera pans left", "the camera pans right", "slow dolly in", "slow dolly out")


def text_of(number: int) -> str:
    """Return a prompt unlike that of any other number."""
    choose = random.Random(number)  # noqa: S311 - no secret
    picked = [choose.choice(words) for words in (SUBJECTS, PLACES, LIGHTS, MOVES)]
    subject, place, light, move = picked
    return f"a {subject} with the number {number} {place}, at dawn, {light}, 35mm lens, {move}"


def restated(text: str) -> str:
    """Say the same with the clauses in another order."""
    return "Please, " + ". ".join(reversed(text.split(", "))) + "!"


def fill(
    engine: Engine, entries: int, *, per_key: int, asked: Collection[int], encoder_version: str
) -> None:
    """Write ``entries`` rows without their files: looking for something reads none.

    Only those that are ``asked`` for get their true canonical key, the others some hash.
    """
    now = datetime.now(UTC)
    vectors = np.random.default_rng(0).normal(size=(1024, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    stored = [packed(vector, encoder_version) for vector in vectors]
    with engine.begin() as connection:
        for start in range(0, entries, 2_000):
            rows = [
                {
                    "result_key": hashlib.sha256(f"key {number}".encode()).hexdigest(),
                    "kind": "picture",
                    "image_key": "boat-0123456789abcdef",
                    "structured_key": structured_of(number, per_key),
                    "canonical_key": (
                        canonical_key(text_of(number))
                        if number in asked
                        else hashlib.sha256(f"canonical {number}".encode()).hexdigest()
                    ),
                    "text": text_of(number),
                    "vector": stored[number % len(stored)],
                    "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
                    "byte_count": PICTURE_BYTES,
                    "record": '{"provider": "flux"}' + " " * 600,
                    "stored_at": now,
                    "used_at": now,
                    "uses": 0,
                }
                for number in range(start, min(start + 2_000, entries))
            ]
            connection.execute(stored_results.insert(), rows)


def structured_of(number: int, per_key: int) -> str:
    """Return the structured key that this and its neighbours share."""
    return hashlib.sha256(f"structured {number // per_key}".encode()).hexdigest()


def measure_lookups(
    folder: Path, entries: int, per_key: int, encoder: SentenceEncoder | None
) -> list[Measurement]:
    """Look for what is there in other words, and for what is not there."""
    engine = open_engine(f"sqlite:///{folder}/{entries}-{per_key}.db")
    upgrade(engine)
    choose = random.Random(1)  # noqa: S311 - no secret
    places = [choose.randrange(entries) for _ in range(LOOKUPS)]
    version = encoder.version if encoder else "0" * 16
    fill(engine, entries, per_key=per_key, asked=set(places), encoder_version=version)
    index = ResultIndex(engine)
    reuser = Reuser(index, not_before=lambda: datetime.now(UTC) - timedelta(days=7))
    label = f"{entries:,} entries" + (", all under one key" if per_key >= entries else "")
    goal = LOOKUP_GOAL_MS if entries == 100_000 else None

    def hit(number: int) -> bool:
        found = reuser.find("x", structured_of(number, per_key), restated(text_of(number)))
        return found is not None and found.level == "canonical"

    def miss(number: int) -> bool:
        asked = text_of(entries + number)
        return reuser.find("x", structured_of(number, per_key), asked) is None

    rows = [
        measure(f"canonical hit, {label}", _median_ms(hit, places), "ms", goal=goal),
        measure(f"miss, {label}", _median_ms(miss, places), "ms", goal=goal),
    ]
    if encoder is not None:
        similar = Reuser(
            index, reuser.not_before, level="similar", encoder=encoder, threshold=0.999999
        )

        def compared(number: int) -> bool:
            asked = text_of(entries + number)
            return similar.find("x", structured_of(number, per_key), asked) is None

        for number in places:
            encoder.encode(canonical_text(text_of(entries + number)).text)
        found = _median_ms(compared, places)
        rows.append(measure(f"none similar, {label}", found, "ms", goal=goal))
    engine.dispose()
    return rows


def _median_ms(look: Callable[[int], bool], places: list[int]) -> float:
    seconds = []
    for number in places:
        started = time.perf_counter()
        as_expected = look(number)
        seconds.append(time.perf_counter() - started)
        if not as_expected:
            sys.exit(f"The lookup of entry {number} did not give what is stored.")
    return 1000 * statistics.median(seconds)


def measure_store(folder: Path) -> list[Measurement]:
    """Measure a hit and a miss against reading the file, in turns."""
    engine = open_engine(f"sqlite:///{folder}/store.db")
    upgrade(engine)
    store = ResultStore(UPath(folder), engine)
    content = np.random.default_rng(0).bytes(PICTURE_BYTES)
    about = About(
        kind="picture", structured_key="s" * 64, canonical_key="c" * 64, text="a boat", record="{}"
    )
    store.put(KEY, content, about)
    path = Path(store.path_of(hashlib.sha256(content).hexdigest()).path)
    cache: MemoryCache[str, bytes] = MemoryCache("pictures", 10_000_000, len)
    cache.put(KEY, content)
    sides: dict[str, Callable[[], object]] = {
        "bare": path.read_bytes,
        "checked": lambda: hashlib.sha256(path.read_bytes()).hexdigest(),
        "hit": lambda: store.get(KEY),
        "miss": lambda: store.get("other"),
        "memory": lambda: cache.get(KEY),
    }
    seconds = alternate({name: _often(side) for name, side in sides.items()})
    took = {name: 1000 * each / AT_ONCE for name, each in medians(seconds).items()}
    asked = AT_ONCE * (REPEATS + 1)
    usage = store.usage()
    if (usage.hits, usage.misses) != (asked, asked):
        sys.exit(f"Of {asked} look-ups each, {usage.hits} hit and {usage.misses} missed.")
    started = time.perf_counter()
    for number in range(10):
        store.put(f"k{number}", content[number:], about)
    put_ms = 100 * (time.perf_counter() - started)
    engine.dispose()
    bare = took["bare"]
    return [
        measure("hit of 1.5 MB against a bare read", took["hit"], "ms", baseline=bare),
        compare(
            "hit of 1.5 MB against a read and its SHA-256",
            took["hit"],
            "ms",
            baseline=took["checked"],
            goal=3,
            direction="at most",
        ),
        measure("miss against a bare read", took["miss"], "ms", baseline=bare),
        measure("put of 1.5 MB, forced to the disk", put_ms, "ms", baseline=bare),
        measure("hit in memory against a bare read", took["memory"], "ms", baseline=bare),
    ]


def _often(side: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(AT_ONCE):
            side()

    return run


def measure_encoder(encoder: SentenceEncoder) -> Measurement:
    """Measure one text of about 30 tokens."""
    seconds = []
    for number in range(LOOKUPS):
        started = time.perf_counter()
        encoder.encode(text_of(number))
        seconds.append(time.perf_counter() - started)
    return measure("encoding a text", 1000 * statistics.median(seconds), "ms")


def measure_memory_bound() -> Measurement:
    """Fill a cache of vectors with ten times what it holds; the memory that the process gains."""
    before = _resident_mb()
    bound = 20_000_000
    cache: MemoryCache[int, Encoded] = MemoryCache("vectors", bound, size_in_bytes)
    for number in range(10 * bound // 2_000):
        cache.put(number, Encoded(np.full(384, number, np.float32)))
    gained = max(0.0, _resident_mb() - before)
    return measure("memory of a full 20 MB cache", gained, "MB", goal=1.5 * bound / 1e6)


def _resident_mb() -> float:
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def main() -> int:
    """Measure the store, then finding, then memory; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the 100,000 entries")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sentence-model", type=Path)
    options = parser.parse_args()
    encoder = None
    if options.sentence_model:
        vectors: MemoryCache[str, Encoded] = MemoryCache("vectors", 5_000_000, size_in_bytes)
        encoder = SentenceEncoder(options.sentence_model, vectors)
        encoder.encode("the weights are read once")
    sizes = (1_000, 10_000) if options.quick else (1_000, 10_000, 100_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measure_store(folder)
        rows.append(measure_memory_bound())
        if encoder is not None:
            rows.append(measure_encoder(encoder))
        before = _resident_mb()
        for entries in sizes:
            rows.extend(measure_lookups(folder, entries, PER_KEY, encoder))
        rows.extend(measure_lookups(folder, sizes[-1], sizes[-1], encoder))
        gained = max(0.0, _resident_mb() - before)
        rows.append(measure("memory gained by all lookups and entries", gained, "MB", goal=FLAT_MB))
    if options.quick:
        rows.append(not_measured("canonical hit, 100,000 entries", "ms", "at most 10"))
    return finish("cache", rows, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
