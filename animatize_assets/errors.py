"""Every error that this project raises on purpose, in one tree.

::

    AnimatizeError
    ├── InvalidImage        an upload that is refused, before or during its decode
    ├── ImageNotFound       an image key that no accepted image has
    ├── InvalidSetting      an environment variable or option outside its range
    ├── InvalidRule         a rule file, template or dialect that does not describe what it must
    ├── ImpossibleCameraPath  a camera path that leaves its image or magnifies too far
    ├── RenderingFailed     frames or a clip that could not be made or checked
    ├── StorageFailed       an artefact that could not be stored or read back
    ├── NotConfigured       something asked for that needs a key, a file or an extra dependency
    ├── ProviderError       a picture provider that did not deliver (``retryable``, ``reason``)
    ├── BudgetExceeded      work that would cost more than is allowed
    └── OrchestrationFailed a Dagster run that could not be started, watched or finished

Belongs here: the classes and their stable codes. Does not belong here: how a code becomes an
exit code (``cli``), a problem document (``web``) or a ``dagster.Failure`` (``defs``).

Each message is one sentence that names the thing, the limit and the remedy.
"""

from __future__ import annotations


class AnimatizeError(Exception):
    """Base of the tree. ``code`` is stable: clients may compare it, messages may change."""

    code: str = "animatize_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidImage(AnimatizeError):
    """An upload is refused. ``code`` tells why: one of :data:`IMAGE_REFUSALS`."""

    def __init__(self, message: str, *, code: str) -> None:
        if code not in IMAGE_REFUSALS:
            raise ValueError(f"'{code}' is not a code in IMAGE_REFUSALS; add it there first.")
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_invalid_image, (self.message, self.code))


def _rebuild_invalid_image(message: str, code: str) -> InvalidImage:
    return InvalidImage(message, code=code)


IMAGE_REFUSALS: dict[str, str] = {
    "image_missing": "no file is at the path",
    "image_not_a_file": "the path is a directory, a FIFO, a socket or a device",
    "image_unreadable": "the file exists but may not be opened",
    "image_empty": "the file has zero bytes",
    "image_too_many_bytes": "the file is larger than the byte limit",
    "image_format_unsupported": "the first bytes are of no accepted format",
    "image_header_corrupt": "the header declares no usable dimensions",
    "image_too_many_pixels": "the declared dimensions exceed the pixel limit",
    "image_too_small": "the shortest side is below the limit",
    "image_body_corrupt": "the body is truncated or does not decode completely",
}
"""The codes of :class:`InvalidImage` and what each means."""


class ImageNotFound(AnimatizeError):
    """An image key that names no accepted image."""

    code = "image_not_found"


class InvalidSetting(AnimatizeError):
    """A setting outside its documented range."""

    code = "invalid_setting"


class InvalidRule(AnimatizeError):
    """A movement rule, prompt template or dialect entry that cannot be used as written."""

    code = "invalid_rule"


class ImpossibleCameraPath(AnimatizeError):
    """A camera path whose crop leaves the image, magnifies too far or moves too fast."""

    code = "impossible_camera_path"


class RenderingFailed(AnimatizeError):
    """Frames or a clip that could not be made, or that do not decode to what was asked."""

    code = "rendering_failed"


class StorageFailed(AnimatizeError):
    """An artefact that could not be written whole or read back."""

    code = "storage_failed"


class NotConfigured(AnimatizeError):
    """Something asked for needs a key, a file or an extra dependency that is not there."""

    code = "not_configured"


class ProviderError(AnimatizeError):
    """A picture provider did not deliver.

    ``reason`` is a stable word of the failure taxonomy; ``retryable`` says whether asking the
    same provider again can help.
    """

    code = "provider_error"

    def __init__(self, message: str, *, reason: str, retryable: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable


class BudgetExceeded(AnimatizeError):
    """The work would cost more than the budget still allows."""

    code = "budget_exceeded"


class OrchestrationFailed(AnimatizeError):
    """A Dagster run could not be started, watched or finished."""

    code = "orchestration_failed"
