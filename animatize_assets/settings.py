"""Every environment variable that this project reads, once, typed and validated.

Belongs here: names, ranges, defaults. Does not belong here: any decision made from them, and any
default for a secret. Only the places where a process starts import this module (``defs``,
``definitions``, ``cli``); rooms take plain arguments.

Every variable is described in ``docs/settings.md``, which a test compares with this class.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from animatize_assets.errors import InvalidSetting

PREFIX = "ANIMATIZE_"


class Settings(BaseSettings):
    """The settings of one process. Read with :meth:`read`; immutable afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    data_dir: Path = Field(
        default=Path("data"), description="Folder of everything generated; two never meet."
    )
    max_upload_mb: Annotated[float, Field(ge=1, le=100)] = Field(
        default=10, description="Largest accepted upload, megabytes (10^6 bytes), 1 to 100."
    )
    max_megapixels: Annotated[float, Field(gt=0, le=500)] = Field(
        default=50, description="Largest accepted image, megapixels, up to 500."
    )
    min_side_px: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=16, description="Shortest accepted side, pixels."
    )
    depth_model: Path | None = Field(
        default=None,
        description="ONNX file of the MiDaS or Depth Anything family; needs the extra 'depth'.",
    )
    face_model: Path | None = Field(
        default=None, description="ONNX file for OpenCV's FaceDetectorYN (YuNet)."
    )
    cv_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="OpenCV threads per process; 0 lets OpenCV choose."
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment.

        Raises:
            InvalidSetting: a variable is outside its range; the sentence names it.

        """
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            given = os.environ.get(name)
            raise InvalidSetting(
                f"{name}={given!r} is not usable: {first['msg']}. See docs/settings.md."
            ) from error
        return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})
