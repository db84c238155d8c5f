"""From a workshop to what works at night.

Belongs here: putting it together. Does not belong here: what any of it does (``pregeneration``),
environment variables (``settings``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.kept_picture import KeptPicture
from animatize_assets.generation.picture_call import address_of, key_of
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets.images.durable import local_path
from animatize_assets.pipeline.pregenerating import StagePreparation
from animatize_assets.pipeline.source_opening import open_ledger
from animatize_assets.pregeneration.night import NightShift
from animatize_assets.pregeneration.pregenerated import (
    AskedPicture,
    PictureRow,
    PregeneratedPictures,
)

if TYPE_CHECKING:
    from animatize_assets.generation.catalogue import ProviderModel
    from animatize_assets.generation.models import MadePicture
    from animatize_assets.generation.sourcing import Caches
    from animatize_assets.pipeline.generation_setup import GenerationSetup
    from animatize_assets.pipeline.workshop import Workshop
    from animatize_assets.pregeneration.picture_batches import Keep, PictureBatches
    from animatize_assets.pregeneration.preparation import PictureTimes

FLIGHT = "pregeneration"


def open_night(
    workshop: Workshop,
    setup: GenerationSetup,
    times: PictureTimes,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> NightShift:
    """Put together what works at night in a workshop.

    Raises:
        NotConfigured: pictures are not kept here: no provider is set up, or the data folder is not
            a local one.
    """
    caches, folder = workshop.pictures.caches, local_path(workshop.artifacts.data_dir)
    if caches is None or folder is None:
        raise NotConfigured(
            "Pictures cannot be made ahead: set up a provider (animatize providers), with a local "
            "data folder."
        )
    rows = PregeneratedPictures(workshop.images.engine, clock)
    flights = SingleFlight(folder / "results" / "nights")

    @contextmanager
    def claimed() -> Iterator[None]:
        with flights.hold(FLIGHT, 0):
            yield

    return NightShift(
        rows=rows,
        preparation=StagePreparation(workshop),
        source=workshop.pictures,
        times=times,
        model_of=model_of,
        batches=_open_batches(workshop, setup, rows, keep_in(caches), clock),
        claimed=claimed,
        kept_for=timedelta(seconds=setup.results_ttl_s),
        clock=clock,
    )


def model_of(provider: str, model: str) -> ProviderModel | None:
    """Return what the catalogue knows of a model; a workflow of ComfyUI's is the one it lists."""
    catalogue = load_catalogue()
    if provider == "comfyui":
        return catalogue.default(provider)
    return catalogue.models.get(f"{provider}/{model}")


def keep_in(caches: Caches) -> Keep:
    """Return what keeps a picture as :class:`PictureSource` would, if none is kept yet."""

    def keep(row: PictureRow, asked: AskedPicture, made: MadePicture) -> bool:
        results = caches.results
        if results.index.find(row.fingerprint, not_before=results.not_before()) is not None:
            return False
        about = caches.reuser.about(
            asked.structured_key,
            asked.text,
            record=KeptPicture.of(made).model_dump_json(),
            image_key=row.image_key,
        )
        return results.put(row.fingerprint, made.content, about)

    return keep


def _open_batches(
    workshop: Workshop,
    setup: GenerationSetup,
    rows: PregeneratedPictures,
    keep: Keep,
    clock: Callable[[], datetime],
) -> PictureBatches | None:
    from animatize_assets.generation.openai_pictures import OpenAIPictures
    from animatize_assets.pregeneration.picture_batches import PictureBatches
    from animatize_assets.prompts.expansion.batches import open_client

    provider, how = workshop.pictures.providers.get("openai"), setup.providers.get("openai")
    if not isinstance(provider, OpenAIPictures) or how is None or how.api_key is None:
        return None
    model = model_of(provider.name, provider.model)
    if model is None:
        return None
    base_url = address_of(how.base_url, provider.name) if how.base_url else None
    key = SecretStr(key_of(how.api_key, provider.name))
    return PictureBatches(
        rows,
        open_client(key, base_url),
        provider,
        model,
        ledger=open_ledger(setup, workshop.images.engine),
        keep=keep,
        clock=clock,
    )
