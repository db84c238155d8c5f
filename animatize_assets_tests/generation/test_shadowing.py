"""Reused pictures that are made after all, against the loopback server."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from animatize_assets.errors import NotConfigured, StorageFailed
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import PictureRequest
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.semantic.encoder import Encoded, SentenceEncoder
from animatize_assets.generation.semantic.reuse import Reuser
from animatize_assets.generation.shadowing import MOST_LINES, Shadow, ShadowLog, difference
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets.generation.sourcing import Caches, Obtained, PictureOrder, PictureSource
from animatize_assets.generation.studio import Studio
from animatize_assets_tests.integration.generating import (
    FAST,
    brief,
    migrated,
    provider_of,
    request_of,
)
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server

CLAUSES = ("a harbour", "golden light", "a red boat", "the camera trucks left")


class LettersEncoder:
    """Texts are alike when they have the same letters about equally often."""

    version = "00112233aabbccdd"

    def encode(self, text: str) -> Encoded:
        counts = np.array([text.count(chr(97 + each)) for each in range(26)], np.float32)
        return Encoded(counts / np.linalg.norm(counts))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def log(tmp_path: Path) -> ShadowLog:
    return ShadowLog(tmp_path / "results" / "shadow.jsonl")


class House:
    """A source of flux pictures with everything real behind it."""

    def __init__(self, server: LoopbackServer, folder: Path, log: ShadowLog) -> None:
        self.engine = migrated(folder / "animatize.db")
        self.budget = Budget()
        self._server = server
        results = ResultStore(UPath(folder), self.engine)
        reuser = Reuser(results.index, results.not_before)
        flights = SingleFlight(folder / "results" / "in-flight")
        self.caches = Caches(results, flights, reuser, Shadow(log, share=1.0))

    def obtain(self, order: PictureOrder) -> Obtained:
        configured = Configured(provider_of("flux", self._server, sleep=brief))
        ledger = SqlLedger(self.engine, self.budget)
        with Studio(lambda: Router({"flux": configured}, FAST, ledger)) as studio:
            source = PictureSource(
                studio, {"flux": configured.provider}, lambda name: [name], caches=self.caches
            )
            return source.obtain(order)


@pytest.fixture
def house(server: LoopbackServer, tmp_path: Path, log: ShadowLog) -> Iterator[House]:
    made = House(server, tmp_path, log)
    yield made
    made.engine.dispose()


def order_of(text: str) -> PictureOrder:
    request: PictureRequest = request_of(0)
    prompt = request.prompt.model_copy(update={"positive": text})
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    whole = replace(request, prompt=prompt, fingerprint=fingerprint)
    return PictureOrder(whole, "flux", structured={"image": request.image_key})


def test_every_reuse_is_made_again_compared_and_paid(
    house: House, server: LoopbackServer, log: ShadowLog
) -> None:
    first, *others = [", ".join(clauses) for clauses in permutations(CLAUSES)]
    house.obtain(order_of(first))
    wrong = 0
    for number, text in enumerate(others, 1):
        obtained = house.obtain(order_of(text))
        assert [each.outcome for each in obtained.attempts] == ["made"]
        assert len(server.bill) == number + 1
        if obtained.reuse is None:  # the picture that was made is the one that serves
            wrong += 1
            assert "another picture" in obtained.made.notes[-1]
        else:
            assert obtained.reuse.level == "canonical"
            assert "rightly" in obtained.made.notes[-1]
    counted = log.counts()["canonical"]
    assert (counted.compared, counted.wrong) == (len(others), wrong)
    assert 0 < wrong < len(others)  # the server draws one of eight pictures for each text


def test_the_very_same_request_is_not_made_again(house: House, server: LoopbackServer) -> None:
    text = ", ".join(CLAUSES)
    house.obtain(order_of(text))
    again = house.obtain(order_of(text))
    assert again.reuse is not None
    assert (again.reuse.level, again.attempts, len(server.bill)) == ("exact", (), 1)


def test_what_cannot_be_made_in_the_shadow_costs_no_picture(
    house: House, server: LoopbackServer, log: ShadowLog
) -> None:
    house.obtain(order_of(", ".join(CLAUSES)))
    house.budget = Budget(per_day_usd=0.0)
    obtained = house.obtain(order_of(", ".join(reversed(CLAUSES))))
    assert obtained.reuse is not None
    assert "ANIMATIZE_BUDGET_DAY_USD" in obtained.made.notes[-1]
    assert (len(server.bill), log.counts()) == (1, {})


def test_similar_pictures_are_suggested_and_not_taken(house: House) -> None:
    reuser = replace(house.caches.reuser, encoder=LettersEncoder())
    house.caches = replace(house.caches, reuser=reuser)
    house.obtain(order_of("a red boat in the harbour"))
    obtained = house.obtain(order_of("a harbour in the red boat"))
    assert obtained.reuse is None
    assert "'a red boat in the harbour'" in obtained.made.notes[-1]
    assert "ANIMATIZE_SEMANTIC_REUSE=similar" in obtained.made.notes[-1]


def test_a_missing_sentence_model_is_told_before_anything_is_paid(
    house: House, server: LoopbackServer, tmp_path: Path
) -> None:
    encoder = SentenceEncoder(tmp_path / "nowhere")
    reuser = replace(house.caches.reuser, encoder=encoder)
    house.caches = replace(house.caches, reuser=reuser)
    with pytest.raises(NotConfigured, match="ANIMATIZE_SENTENCE_MODEL"):
        house.obtain(order_of("a red boat"))
    assert server.calls() == []


def picture(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_grain_is_no_difference_and_another_light_is_one() -> None:
    dice = np.random.default_rng(1)
    scene = np.linspace(20, 200, 160)[:, None, None] * np.ones((160, 160, 3))
    grainy = np.clip(scene + dice.normal(0, 25, scene.shape), 0, 255)
    assert difference(picture(scene), picture(scene)) == 0
    assert difference(picture(scene), picture(grainy)) < 0.05
    assert difference(picture(scene), picture(scene * 0.3)) > 0.15
    assert difference(picture(scene), picture(scene[::-1])) > 0.15


def compare_often(file: Path) -> None:
    shadow = Shadow(ShadowLog(file), share=1.0)
    black, white = (picture(np.full((16, 16, 3), value)) for value in (0, 255))
    for number in range(50):
        shadow.compare("k", "similar", black, white if number % 2 else black)


def test_processes_write_side_by_side_and_half_a_line_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "shadow.jsonl"
    file.write_bytes(b'{"at":"2026-11-21T00:00:00+00:00","image_k')
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=compare_often, args=(file,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    counted = ShadowLog(file).counts()["similar"]
    assert (counted.compared, counted.wrong) == (150, 75)


def test_only_the_newest_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "shadow.jsonl"
    line = json.dumps({"level": "similar", "wrong": True, "why": "x" * 900}) + "\n"
    file.write_text(line * (MOST_LINES - 1000))
    compare_often(file)
    assert ShadowLog(file).counts()["similar"].compared <= MOST_LINES
    file.write_text(line * (MOST_LINES + 500))
    compare_often(file)
    assert ShadowLog(file).counts()["similar"].compared == MOST_LINES
    assert len(file.read_bytes()) < 950 * (MOST_LINES + 100)


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "shadow.jsonl").mkdir()
    with pytest.raises(StorageFailed):
        compare_often(tmp_path / "shadow.jsonl")
