"""A studio for the night's work: real providers, caches, ledger and batches at the loopback server.

Images are rows without pixels, and what a run would ask for is a line of text; everything from
there on is the project's own. Time is set by hand. Belongs here: what the tests of nights and the
benchmark share. Does not belong here: any assertion, any demand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine
from upath import UPath

from animatize_assets.database.tables import images
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.openai_pictures import OpenAIPictures
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.semantic.reuse import Reuser
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets.generation.sourcing import Caches, Obtained, PictureOrder, PictureSource
from animatize_assets.generation.studio import Studio
from animatize_assets.pipeline.pregeneration_opening import keep_in, model_of
from animatize_assets.pregeneration.night import NightReport, NightShift
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.picture_batches import PictureBatches
from animatize_assets.pregeneration.planning import Limits
from animatize_assets.pregeneration.pregenerated import PregeneratedPictures
from animatize_assets.pregeneration.preparation import Prepared
from animatize_assets.prompts.expansion.batches import open_client
from animatize_assets_tests.generation.ledgers import Clock
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.integration.generating import (
    FAST,
    TODAY,
    Addresses,
    brief,
    migrated,
    provider_of,
)

OWN_SIZE = (1280, 512)
"""Of every image, and so of a picture whose request names no size."""

KEPT_FOR = timedelta(days=7)
AMPLE = Limits(budget_usd=100.0, window_s=4 * 3600, most=1000, waste=0.1)


@dataclass
class Lines:
    """``Preparation`` without images: a request is told by its key and pattern alone."""

    not_ready: set[str] = field(default_factory=set)
    with_source: bool = False
    prepared_ones: int = 0

    def prepared(self, image_key: str, pattern: Pattern) -> Prepared | None:
        self.prepared_ones += 1
        if image_key in self.not_ready:
            return None
        width, height = pattern.size or OWN_SIZE
        text = text_of(image_key, pattern)
        return Prepared(
            fingerprint=hashlib.sha256(text.encode()).hexdigest(),
            model="workflow" if pattern.provider == "comfyui" else "gpt-image-2.5-flare",
            width=width,
            height=height,
            movement=_REQUEST.camera_path.move,
            source_size=OWN_SIZE,
            characters=len(text),
        )

    def order(self, image_key: str, pattern: Pattern) -> PictureOrder | None:
        prepared = self.prepared(image_key, pattern)
        if prepared is None:
            return None
        text = text_of(image_key, pattern)
        prompt = _REQUEST.prompt.model_copy(update={"positive": text, "target": pattern.target})
        request = replace(
            _REQUEST,
            image_key=image_key,
            prompt=prompt,
            width=prepared.width,
            height=prepared.height,
            with_source=self.with_source,
            fingerprint=prepared.fingerprint,
        )
        structured = {"image": image_key, "pattern": str(pattern)}
        return PictureOrder(request, pattern.provider, structured, style=pattern.style)


@dataclass(frozen=True)
class MinuteEach:
    """``PictureTimes`` of hardware that takes a minute for every picture."""

    def seconds(self, provider: str, prepared: Prepared) -> float:  # noqa: ARG002 - always the same
        return 60.0


@dataclass
class Workshop:
    """Everything of one studio."""

    engine: Engine
    clock: Clock
    source: PictureSource
    ledger: SqlLedger
    rows: PregeneratedPictures
    lines: Lines
    night: NightShift

    def store(self, image_key: str) -> None:
        """Let an image be stored now."""
        now = self.clock()
        values = {
            "sha256": hashlib.sha256(image_key.encode()).hexdigest(),
            "image_key": image_key,
            "original_name": image_key,
            "format": "PNG",
            "byte_count": 1,
            "width": OWN_SIZE[0],
            "height": OWN_SIZE[1],
            "source_mode": "RGB",
            "exif_orientation": 1,
            "has_icc_profile": False,
            "flattened_alpha": False,
            "frame_count": 1,
            "original_path": image_key,
            "normalized_path": image_key,
            "registered_at": now,
        }
        with self.engine.begin() as connection:
            connection.execute(images.insert().values(values))

    def ask(self, image_key: str, pattern: Pattern) -> Obtained:
        """Ask for a picture by day."""
        order = self.lines.order(image_key, pattern)
        assert order is not None
        return self.source.obtain(order)

    def note(self, image_key: str, pattern: Pattern) -> None:
        """Let a request be in the log as if it had been made, without anybody being asked."""
        prepared = self.lines.prepared(image_key, pattern)
        assert prepared is not None
        assert self.source.log is not None
        self.source.log.write(
            LoggedRequest(
                image_key=image_key,
                target=pattern.target,
                style=pattern.style,
                provider=pattern.provider,
                model=prepared.model,
                width=prepared.width,
                height=prepared.height,
                movement=prepared.movement,
                outcome="made",
            )
        )

    def work(self, limits: Limits = AMPLE, *, hours: float = 4) -> NightReport:
        """Do a night's work from now on."""
        return self.night.work(limits, self.clock() + timedelta(hours=hours), run_id="night")


@contextmanager
def open_studio(
    folder: Path,
    server: Addresses,
    *,
    clock: Clock,
    budget: Budget | None = None,
    durable: bool = True,
) -> Iterator[Workshop]:
    """Open a studio with OpenAI and a ComfyUI server of its own."""
    engine = migrated(folder / "animatize.db", durable=durable)
    ledger = SqlLedger(engine, budget or Budget(), clock)
    providers: dict[str, PictureProvider] = {
        "openai": OpenAIPictures(
            SecretStr(server.keys["openai"]),
            server.openai_url,
            load_catalogue().get("openai", "gpt-image-2.5-flare", TODAY),
            edit=True,
        ),
        "comfyui": provider_of("comfyui", server, sleep=brief),
    }
    configured = {name: Configured(each, concurrency=2) for name, each in providers.items()}
    results = ResultStore(UPath(folder), engine, ttl=KEPT_FOR, clock=clock)
    caches = Caches(
        results,
        SingleFlight(folder / "in-flight"),
        Reuser(results.index, results.not_before),
    )
    source = PictureSource(
        studio=Studio(lambda: Router(configured, FAST, ledger)),
        providers=providers,
        order_of=lambda name: [name],
        at_once=dict.fromkeys(providers, 2),
        caches=caches,
        log=RequestLog(engine, clock),
    )
    rows, lines = PregeneratedPictures(engine, clock), Lines()
    openai, model = providers["openai"], model_of("openai", "gpt-image-2.5-flare")
    assert isinstance(openai, OpenAIPictures)
    assert model is not None
    client = open_client(SecretStr(server.keys["openai"]), server.openai_url)
    batches = PictureBatches(
        rows, client, openai, model, ledger=ledger, keep=keep_in(caches), clock=clock
    )
    nights = SingleFlight(folder / "nights")
    night = NightShift(
        rows=rows,
        preparation=lines,
        source=source,
        times=MinuteEach(),
        model_of=model_of,
        batches=batches,
        claimed=lambda: nights.hold("night", 0),
        kept_for=KEPT_FOR,
        clock=clock,
    )
    try:
        yield Workshop(engine, clock, source, ledger, rows, lines, night)
    finally:
        source.studio.close()
        client.close()
        engine.dispose()


def text_of(image_key: str, pattern: Pattern) -> str:
    """The prompt of a picture: no other has the same words."""
    return f"picture of {image_key} for {pattern}, the camera trucks left"


_REQUEST = picture_request()
