"""What every maker of pictures has in common.

Belongs here: the protocol. Does not belong here: any provider, retries or budgets.
"""

from __future__ import annotations

from typing import Protocol

from animatize_assets.generation.models import Call, MadePicture, PictureRequest


class PictureProvider(Protocol):
    """Makes one picture per request, in one attempt; asking again is the router's matter."""

    @property
    def name(self) -> str:
        """Stable name: ``local``, ``openai``, ``flux``, ``imagen``, ``comfyui``."""

    @property
    def model(self) -> str:
        """The provider model that makes the pictures."""

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.
            NotConfigured: the provider cannot be used as it is set up.
        """

    def expected_cost_usd(self, request: PictureRequest) -> float | None:
        """Return what the call will cost at most; None when the price is not known."""

    async def close(self) -> None:
        """Let go of connections; the provider is not used afterwards."""
