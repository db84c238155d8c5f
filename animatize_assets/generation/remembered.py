"""What was asked of a provider, remembered beside the address of the work.

Whoever fetches a picture after a crash may not have the request any more: reconciliation has only
the ledger. So what the picture must be judged and described by is noted with it.

Belongs here: the record and its text. Does not belong here: ids and addresses (each provider's).
"""

from __future__ import annotations

from pydantic import ValidationError

from animatize_assets.errors import ProviderError
from animatize_assets.generation.models import MadePicture, Resume, Usage
from animatize_assets.generation.source_image import size_of
from animatize_assets.generation.verification import media_type_of
from animatize_assets.records import Record

KEY = "picture"
"""Under which it stands in what the ledger keeps of submitted work."""


class Remembered(Record):
    """What was asked for, and what is true of whatever comes back."""

    provider: str
    model: str
    seed: int | None
    """None when the model takes no seed."""
    asked_size: tuple[int, int] | None
    """None when the provider chooses the size."""
    aspect_only: bool = False
    notes: tuple[str, ...] = ()

    def noted(self, **address: str) -> dict[str, str]:
        """Return what the ledger keeps: ``address`` and this record."""
        return {**address, KEY: self.model_dump_json()}

    @classmethod
    def of(cls, resume: Resume) -> Remembered:
        """Return the record that was noted in ``resume``.

        Raises:
            ProviderError: there is none; the work cannot be told from any other.

        """
        try:
            return cls.model_validate_json(resume.get(KEY, ""))
        except ValidationError as error:
            raise ProviderError(
                "The ledger does not say what was asked for in an open call; another version wrote "
                "it. Look it up at the provider and write the call off.",
                kind="ambiguous",
                billed_usd=None,
            ) from error

    def made(
        self,
        content: bytes,
        *,
        remote_id: str,
        cost_usd: float | None,
        seed: int | None = None,
        notes: tuple[str, ...] = (),
        usage: Usage | None = None,
    ) -> MadePicture:
        """Return ``content`` as the picture that was asked for; type and size are told from it.

        ``seed``: the one that the provider says it used. ``notes``: what only the result shows.

        Raises:
            ProviderError: it is no readable picture (``bad_output``).

        """
        media_type, size = media_type_of(content), size_of(content)
        if media_type is None or size is None:
            raise ProviderError(
                f"{self.provider} delivered a file that is no readable PNG, JPEG or WebP picture.",
                kind="bad_output",
                remote_id=remote_id,
                billed_usd=cost_usd,
            )
        return MadePicture(
            content=content,
            media_type=media_type,
            width=size[0],
            height=size[1],
            provider=self.provider,
            model=self.model,
            seed=self.seed if seed is None or self.seed is None else seed,
            cost_usd=cost_usd,
            asked_size=self.asked_size or size,
            aspect_only=self.aspect_only,
            usage=usage,
            remote_id=remote_id,
            notes=(*self.notes, *notes),
        )
