"""The provider that needs no key, no network and no GPU.

Belongs here: the end framing of the shot as a picture. Does not belong here: anything invented;
it is the image itself, seen where the camera arrives, and it says so in the file.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from animatize_assets.errors import AnimatizeError, ProviderError
from animatize_assets.generation.grade import apply_grade
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.rendering.frame import FrameRenderer

COMPRESSION = 4
"""zlib level of the PNG: beyond it a photograph takes much longer and hardly shrinks."""


@dataclass(frozen=True)
class LocalProvider:
    """Renders the camera path at t = 1; with the request's ``grade``, light and colour too.

    The source is the first frame of the shot and this picture its last one, which is what video
    models take.
    """

    name: str = "local"
    model: str = "camera-path-render"

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:  # noqa: ARG002 - no network, no limit
        """Make the picture, beside the event loop. The same request gives the same bytes.

        The seed is recorded; nothing here is random.

        Raises:
            ProviderError: the frame cannot be rendered; asking again does not help.
        """
        return await asyncio.to_thread(self._rendered, request)

    def expected_cost_usd(self, request: PictureRequest) -> float:  # noqa: ARG002 - always free
        """Return what it really costs."""
        return 0.0

    async def close(self) -> None:
        """Nothing is held."""

    def _rendered(self, request: PictureRequest) -> MadePicture:
        try:
            frame = FrameRenderer(
                request.source, request.depth, request.camera_path, request.width, request.height
            ).render(1.0)
            if request.grade:
                frame = apply_grade(frame, request.prompt.grade)
        except AnimatizeError as error:
            raise ProviderError(str(error), kind="rendering") from error
        label = PngInfo()
        label.add_text("Software", "animatize-assets")
        label.add_text("Source", f"provider={self.name}; model={self.model}")
        label.add_text("Comment", f"image_key={request.image_key}; seed={request.seed}")
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "PNG", pnginfo=label, compress_level=COMPRESSION)
        return MadePicture(
            content=buffer.getvalue(),
            media_type="image/png",
            width=request.width,
            height=request.height,
            provider=self.name,
            model=self.model,
            seed=request.seed,
            cost_usd=0.0,
            reproducible=True,
        )
