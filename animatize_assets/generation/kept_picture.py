"""What the result store remembers of a picture beside its bytes.

Belongs here: the record, and from and to it. Does not belong here: when a kept picture may serve
(``sourcing``), the store (``result_store``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from animatize_assets.generation.models import MadePicture, MediaType, Usage
from animatize_assets.records import Measured, Record

if TYPE_CHECKING:
    from animatize_assets.generation.sourcing import Caches


class KeptPicture(Record):
    """A picture as it is described in the store."""

    media_type: MediaType
    width: int
    height: int
    provider: str
    model: str
    seed: int | None
    cost_usd: Measured | None
    asked_size: tuple[int, int] | None
    aspect_only: bool
    usage: Usage | None
    notes: tuple[str, ...] = ()
    reproducible: bool

    @classmethod
    def of(cls, made: MadePicture) -> KeptPicture:
        """Describe a picture that was made."""
        return cls.model_validate({name: getattr(made, name) for name in cls.model_fields})

    def served(self, content: bytes) -> MadePicture:
        """Return the picture as it serves another request, which costs nothing."""
        fields = {name: getattr(self, name) for name in KeptPicture.model_fields}
        return replace(MadePicture(content=content, **fields), cost_usd=0.0, usage=None)


def keep_alone(caches: Caches, fingerprint: str, made: MadePicture) -> None:
    """Keep a picture of which only the request's fingerprint is known: it serves that one alone."""
    about = caches.reuser.about(fingerprint, "", record=KeptPicture.of(made).model_dump_json())
    caches.results.put(fingerprint, made.content, about)
