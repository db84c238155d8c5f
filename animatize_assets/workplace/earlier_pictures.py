"""The pictures that one image was given: by other providers, in other runs, before and now.

The log says what was asked for and under which key the answer is kept: as an artefact of the image,
until housekeeping drops those that are not current any more, and in the cache of paid results.

Belongs here: finding them. Does not belong here: the stores, how pictures are shown or sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from upath import UPath

from animatize_assets.generation.kept_picture import KeptPicture
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.request_log import PastRequest, RequestLog
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.pipeline.source_opening import open_results
from animatize_assets.workplace.opening import Workplace

MOST_PICTURES: Final = 100
"""Of one image, the newest; an image that is asked for daily has those of three months."""

_STAGE: Final = "generated_picture"


@dataclass(frozen=True)
class PictureFile:
    """Where the bytes of a picture are."""

    path: UPath
    media_type: str
    sha256: str


@dataclass(frozen=True)
class EarlierPicture:
    """A picture that a request was given, and what is still known of it."""

    result_key: str
    """Names the picture: requests that were given the same one have the same key."""
    request: PastRequest | None
    """None: the current picture, of which no request is logged."""
    provider: str
    """Who made it."""
    model: str
    cost_usd: float | None
    """Of the request: 0.0 from a cache; None: not known."""
    seconds: float | None
    """Of all calls that were made for it; None: not known, or it was taken from a cache."""
    prompt: str | None
    """Positive text; None: not known any more."""
    size: tuple[int, int] | None
    """Width and height, px; None: not known any more."""
    file: PictureFile | None
    """None: it is not stored any more."""
    is_current: bool
    """Whether it is the image's picture now."""


def pictures_of(workplace: Workplace, image_key: str) -> tuple[EarlierPicture, ...]:
    """Return the pictures that ``image_key`` was given, the newest request first.

    A request that failed has none. What is counted and noted of a cache's use stays as it is.

    Raises:
        ImageNotFound: no accepted image has this key.

    """
    workplace.images.get(image_key)
    log = RequestLog(workplace.images.engine)
    finder = _Finder.of(workplace, image_key)
    found = [finder.of_request(past) for past in log.delivered(image_key, limit=MOST_PICTURES)]
    told = [each for each in found if each is not None]
    if finder.current_key is not None and not any(each.is_current for each in told):
        current = finder.unlogged(finder.current_key)
        told = told if current is None else [current, *told]
    return tuple(told)


def picture_named(workplace: Workplace, image_key: str, result_key: str) -> EarlierPicture | None:
    """Return the picture of that image and key; None when the image was never given such a one.

    Raises:
        ImageNotFound: no accepted image has this key.

    """
    found = pictures_of(workplace, image_key)
    return next((each for each in found if each.result_key == result_key), None)


@dataclass(frozen=True)
class _Finder:
    """Looks in both stores, of one image."""

    workplace: Workplace
    image_key: str
    results: ResultStore
    current_key: str | None

    @classmethod
    def of(cls, workplace: Workplace, image_key: str) -> _Finder:
        artifacts = workplace.artifacts
        return cls(
            workplace,
            image_key,
            open_results(workplace.generation, artifacts, workplace.images.engine),
            artifacts.current_fingerprint(_STAGE, image_key),
        )

    def of_request(self, past: PastRequest) -> EarlierPicture | None:
        asked = past.asked
        if asked.result_key is None:  # written before keys were logged: nothing leads to it
            return None
        record = self._artefact(asked.result_key)
        if record is not None and _is_by(record.provider, past):
            return self._of_artefact(asked.result_key, record, past)
        return self._of_cache(asked.result_key, past)

    def unlogged(self, result_key: str) -> EarlierPicture | None:
        record = self._artefact(result_key)
        return None if record is None else self._of_artefact(result_key, record, None)

    def _artefact(self, result_key: str) -> PictureRecord | None:
        artifacts = self.workplace.artifacts
        return artifacts.find(_STAGE, self.image_key, result_key, PictureRecord)

    def _of_artefact(
        self, result_key: str, record: PictureRecord, past: PastRequest | None
    ) -> EarlierPicture:
        path = self.workplace.artifacts.upath(record.path)
        was_made = past is None or past.asked.outcome == "made"
        return EarlierPicture(
            result_key=result_key,
            request=past,
            provider=record.provider,
            model=record.model,
            cost_usd=record.cost_usd if past is None else past.asked.cost_usd,
            seconds=_seconds(record) if was_made else None,
            prompt=record.prompt or self._text(result_key),
            size=(record.width, record.height),
            file=PictureFile(path, record.media_type, record.sha256),
            is_current=result_key == self.current_key,
        )

    def _of_cache(self, result_key: str, past: PastRequest) -> EarlierPicture:
        stored = self.results.index.find(result_key, not_before=self.results.not_before())
        kept = None if stored is None else KeptPicture.model_validate_json(stored.record)
        file = None
        if stored is not None and kept is not None and _is_by(kept.provider, past):
            path = self.results.path_of(stored.sha256)
            file = PictureFile(path, kept.media_type, stored.sha256) if path.exists() else None
        asked = past.asked
        return EarlierPicture(
            result_key=result_key,
            request=past,
            provider=asked.made_by or asked.provider,
            model=asked.model if kept is None else kept.model,
            cost_usd=asked.cost_usd,
            seconds=None,
            prompt=None if stored is None else stored.text or None,
            size=None if kept is None else (kept.width, kept.height),
            file=file,
            is_current=False,
        )

    def _text(self, result_key: str) -> str | None:
        stored = self.results.index.find(result_key, not_before=self.results.not_before())
        return None if stored is None else stored.text or None


def _seconds(record: PictureRecord) -> float | None:
    calls = record.attempts
    return math.fsum(each.seconds for each in calls) if calls else None


def _is_by(provider: str, past: PastRequest) -> bool:
    """Whether what is kept is what the request was given.

    Where a fallback delivered, the next run asks again and keeps the answer under the same key.
    """
    return past.asked.made_by in (None, provider)
