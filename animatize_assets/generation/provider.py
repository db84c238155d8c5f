"""What every maker of pictures has in common.

Belongs here: the protocol. Does not belong here: any provider, retries or budgets.
"""

from __future__ import annotations

from typing import Protocol

from animatize_assets.generation.models import MadePicture, PictureRequest


class PictureProvider(Protocol):
    """Makes one picture per request. Safe to call again: the same request, the same work."""

    @property
    def name(self) -> str:
        """Stable name: ``local``, ``openai``, ``flux``, ``imagen``, ``comfyui``."""

    @property
    def model(self) -> str:
        """The provider model that makes the pictures."""

    def make(self, request: PictureRequest) -> MadePicture:
        """Make the picture that ``request`` describes.

        Raises:
            ProviderError: it was not delivered; the error says why and whether to ask again.
        """
