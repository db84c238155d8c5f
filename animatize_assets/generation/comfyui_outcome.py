"""What became of a prompt, read from the answers of a ComfyUI server.

Belongs here: history, queue and refusals, as records and errors. Does not belong here: asking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from animatize_assets.errors import ProviderError

OUT_OF_MEMORY = ("OutOfMemoryError", "OOM_EXCEPTION")
"""Ends of the exception types that torch raises when another job holds the memory: it may pass."""

_REFUSALS = {
    # ComfyUI itself answers 403 to a foreign origin and 413 to more than 100 MB; the others come
    # from what stands in front of it, or from something that is no ComfyUI.
    401: "not_configured",
    403: "not_configured",
    404: "not_configured",
    405: "not_configured",
    413: "invalid_request",
    429: "rate_limited",
}


@dataclass(frozen=True)
class OutputFile:
    """A file that a node made, as ``/view`` asks for it."""

    filename: str
    subfolder: str
    kind: str
    """``output`` for what is kept; ``temp`` for previews."""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of ``/view``."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.kind}


def finished(history: Mapping[str, Any], prompt_id: str) -> Mapping[str, Any] | None:
    """Return the history's entry of a prompt that is done, well or not; None when there is none.

    An empty history says nothing: a prompt that waits or runs has no entry, as an unknown one.
    """
    entry = history.get(prompt_id)
    if not isinstance(entry, dict):
        return None
    return entry if isinstance(entry.get("status"), dict) or entry.get("outputs") else None


def is_queued(queue: Mapping[str, Any], prompt_id: str, *, running_only: bool = False) -> bool:
    """Whether the prompt runs, or (unless ``running_only``) waits to."""
    names = ("queue_running",) if running_only else ("queue_running", "queue_pending")
    for name in names:
        for item in _listed(queue.get(name)):
            # An item is [number, prompt id, graph, extra data, outputs].
            if isinstance(item, list) and len(item) > 1 and item[1] == prompt_id:
                return True
    return False


def files_of(entry: Mapping[str, Any], prompt_id: str) -> tuple[OutputFile, ...]:
    """Return the pictures of a finished prompt, those that are kept before previews.

    Raises:
        ProviderError: it failed, or it ended well without any picture.

    """
    status = entry.get("status")
    said = status if isinstance(status, dict) else {}
    if said.get("status_str") == "error" or said.get("completed") is False:
        raise _failure(said, prompt_id)
    files = sorted(_files(entry.get("outputs")), key=lambda file: file.kind != "output")
    if not files:
        raise ProviderError(
            "The ComfyUI workflow ended without a picture; end it with a SaveImage node.",
            kind="bad_output",
            remote_id=prompt_id,
        )
    return tuple(files)


def _files(outputs: Any) -> Iterator[OutputFile]:
    for made in outputs.values() if isinstance(outputs, dict) else ():
        for image in _listed(made.get("images") if isinstance(made, dict) else None):
            if isinstance(image, dict) and isinstance(image.get("filename"), str):
                yield OutputFile(
                    image["filename"],
                    str(image.get("subfolder") or ""),
                    str(image.get("type") or "output"),
                )


def _failure(status: Mapping[str, Any], prompt_id: str) -> ProviderError:
    """Build the error of a failed prompt; the server's traceback stays where it is."""
    for message in _listed(status.get("messages")):
        if not isinstance(message, list) or len(message) != 2:
            continue
        name, data = message[0], message[1] if isinstance(message[1], dict) else {}
        if name == "execution_interrupted":
            return ProviderError(
                "The ComfyUI server was told to interrupt the work.",
                kind="transient",
                remote_id=prompt_id,
            )
        if name == "execution_error":
            return _execution_error(data, prompt_id)
    return ProviderError(
        "The ComfyUI server says that the work failed, and not why; its log says more.",
        kind="transient",
        remote_id=prompt_id,
    )


def _execution_error(data: Mapping[str, Any], prompt_id: str) -> ProviderError:
    kind_of_error = str(data.get("exception_type") or "an unnamed error")
    node = f"node '{data.get('node_id')}' ({data.get('node_type')})"
    if kind_of_error.endswith(OUT_OF_MEMORY):
        return ProviderError(
            f"The ComfyUI server has no memory left for {node}; run less beside it or ask for a "
            "smaller picture.",
            kind="transient",
            remote_id=prompt_id,
        )
    return ProviderError(
        f"The ComfyUI workflow fails in {node} with {kind_of_error}; the server's log says more.",
        kind="invalid_request",
        remote_id=prompt_id,
    )


def refusal(status: int, body: Mapping[str, Any], prompt_id: str) -> ProviderError:
    """Build the error of a request that was answered with ``status`` instead of being accepted."""
    if status == 400:
        return rejection(body)
    return ProviderError(
        f"The ComfyUI server refused the request with status {status}; check its address, the size "
        "of the image and what stands in front of it.",
        kind=_REFUSALS.get(status, "transient"),
        remote_id=prompt_id,
    )


def rejection(body: Mapping[str, Any]) -> ProviderError:
    """Build the error of a workflow that the server does not accept, in whole or in part."""
    problems = "; ".join(_node_problems(body.get("node_errors")))
    if not problems:
        error = body.get("error")
        said = error if isinstance(error, dict) else {}
        told = [str(said[name]) for name in ("type", "message", "details") if said.get(name)]
        problems = " - ".join(told) or "it does not say why"
    return ProviderError(
        f"The ComfyUI server does not run this workflow: {problems.rstrip('.')}.",
        kind="invalid_request",
    )


def _node_problems(node_errors: Any) -> Iterator[str]:
    for node_id, found in node_errors.items() if isinstance(node_errors, dict) else ():
        errors = found.get("errors") if isinstance(found, dict) else None
        told = [
            f"{error.get('type')} ({_short(error.get('details') or error.get('message'))})"
            for error in _listed(errors)
            if isinstance(error, dict)
        ]
        class_type = found.get("class_type") if isinstance(found, dict) else None
        yield f"node '{node_id}' ({class_type}): {', '.join(told) or 'not valid'}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _short(text: Any) -> str:
    """Shorten lists of every installed checkpoint to what fits into a sentence."""
    words = " ".join(str(text or "no details").split())
    return words if len(words) <= 120 else f"{words[:117]}..."
