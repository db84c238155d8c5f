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
    ├── DiskNearlyFull      new work while the disk has less room than is kept free
    ├── NotConfigured       something asked for that needs a key, a file or an extra dependency
    ├── NoJobs              a rating of something that no job record tells of
    ├── BatchNotFound       an id that no run or backfill has
    ├── NotEnoughJobs       an estimator that has too few finished jobs to learn from
    ├── ProviderError       a provider that did not deliver (``kind``: :data:`FAILURE_KINDS`)
    ├── WebhookRefused      a message about a batch that is not surely OpenAI's
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


class DiskNearlyFull(AnimatizeError):
    """New work was asked for while the disk has less room than is to be kept free."""

    code = "disk_nearly_full"


class NotConfigured(AnimatizeError):
    """Something asked for needs a key, a file or an extra dependency that is not there."""

    code = "not_configured"


class NoJobs(AnimatizeError):
    """No job record tells of what was asked about."""

    code = "no_jobs"


class BatchNotFound(AnimatizeError):
    """An id that no Dagster run, backfill or batch has."""

    code = "batch_not_found"


class NotEnoughJobs(AnimatizeError):
    """Too few jobs of a kind have finished for an estimator to learn from."""

    code = "not_enough_jobs"


FAILURE_KINDS: dict[str, str] = {
    "transient": "the provider, or the way to it, is disturbed for a moment",
    "rate_limited": "too many requests in too short a time",
    "quota": "the account's credit or spending limit is used up",
    "refused_content": "the provider will not make this picture",
    "invalid_request": "the request can never succeed as it is, or names a retired model",
    "not_configured": "the key is missing, wrong or not allowed to do this",
    "ambiguous": "a paid request was sent and its answer was lost",
    "bad_output": "an answer came that is no usable picture or text",
    "rendering": "the local renderer could not draw it",
}
"""The kinds of :class:`ProviderError`; ``generation.failures`` says what follows from each."""


class ProviderError(AnimatizeError):
    """A provider did not deliver.

    ``kind``: one of :data:`FAILURE_KINDS`. ``retry_after_s``: how long the provider asked to wait.
    ``remote_id``: the provider's own id of the work, when it is known. ``billed_usd``: what the
    failed call cost; None when that is not known, 0.0 when it cost nothing.
    """

    code = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retry_after_s: float | None = None,
        remote_id: str | None = None,
        billed_usd: float | None = 0.0,
    ) -> None:
        if kind not in FAILURE_KINDS:
            raise ValueError(f"'{kind}' is not a kind in FAILURE_KINDS; add it there first.")
        super().__init__(message)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.remote_id = remote_id
        self.billed_usd = billed_usd

    def __reduce__(self) -> tuple[object, ...]:
        state = (self.message, self.kind, self.retry_after_s, self.remote_id, self.billed_usd)
        return (_rebuild_provider_error, state)


def _rebuild_provider_error(
    message: str,
    kind: str,
    retry_after_s: float | None,
    remote_id: str | None,
    billed_usd: float | None,
) -> ProviderError:
    return ProviderError(
        message,
        kind=kind,
        retry_after_s=retry_after_s,
        remote_id=remote_id,
        billed_usd=billed_usd,
    )


class WebhookRefused(AnimatizeError):
    """A message that OpenAI did not sign, or not lately."""

    code = "webhook_refused"


class BudgetExceeded(AnimatizeError):
    """The work would cost more than the budget still allows."""

    code = "budget_exceeded"


class OrchestrationFailed(AnimatizeError):
    """A Dagster run could not be started, watched or finished."""

    code = "orchestration_failed"
