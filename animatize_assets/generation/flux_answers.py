"""What the service of Black Forest Labs answers, as records and errors.

Sources: docs.bfl.ai (api_integration/errors, quick_start/pricing) and its OpenAPI file;
help.bfl.ai/articles/2916279050 (June 2026): moderated requests are not charged.

Belongs here: statuses, costs, refusals. Does not belong here: asking (``flux_tasks``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from animatize_assets.errors import ProviderError
from animatize_assets.generation.http_answers import kind_of_status, retry_after_s
from animatize_assets.generation.picture_call import list_in, use

if TYPE_CHECKING:
    from animatize_assets.generation.catalogue import ProviderModel
    from animatize_assets.generation.http_exchange import Answer

_log = logging.getLogger(__name__)

USD_PER_CREDIT = 0.01
"""docs.bfl.ai/quick_start/pricing: prices are in credits, and 100 of them are a dollar."""


@dataclass(frozen=True)
class Task:
    """A submitted task: enough to fetch it later, in another process too."""

    id: str
    polling_url: str
    cost_usd: float | None
    """What it costs if it ends well, as told on submission; None when that is not known."""

    @property
    def address(self) -> dict[str, str]:
        """What the ledger keeps of it. The polling address holds no key and no signature."""
        kept = {"id": self.id, "polling_url": self.polling_url}
        return kept if self.cost_usd is None else {**kept, "cost_usd": repr(self.cost_usd)}

    @classmethod
    def at(cls, address: Mapping[str, str]) -> Task:
        """Return the task of :attr:`address`."""
        cost = address.get("cost_usd")
        return cls(address["id"], address["polling_url"], None if cost is None else float(cost))


@dataclass(frozen=True)
class Delivered:
    """What a task ended with."""

    content: bytes
    seed: int | None
    """The seed that was used, as told; None when it was not told."""


def accepted(said: Mapping[str, Any], results: str) -> Task:
    """Return the task that the answer to a submission tells of.

    ``results``: where tasks are polled when the answer names no address, as with a webhook.

    Raises:
        ProviderError: it tells of none, and nobody knows whether there is one (``ambiguous``).

    """
    name, address = said.get("id"), said.get("polling_url")
    if not isinstance(name, str):
        raise ambiguous("the submission's answer is not readable")
    if not isinstance(address, str):
        address = f"{results}?id={quote(name, safe='')}"
    told = _number(said.get("cost"))
    return Task(name, address, None if told is None else told * USD_PER_CREDIT)


def raise_if_ended(status: str, said: Mapping[str, Any], task: Task) -> None:
    """Raise when ``status`` ends the task without a picture; any other one means that it goes on.

    Models to come have statuses of their own ("Reasoning"): an unknown one is waited out.
    """
    if status in ("request moderated", "content moderated"):
        what = "the request" if status.startswith("request") else "the picture it made"
        raise ProviderError(
            f"flux refused {what} by its content rules.",
            kind="refused_content",
            remote_id=task.id,
            billed_usd=0.0,
        )
    if status in ("error", "failed"):
        raise gone(task, "it says that the task failed")
    if status not in ("", "pending"):
        _log.debug("flux task %s has the status %r; it is waited for.", task.id, said["status"])


def gone(task: Task, why: str) -> ProviderError:
    """Build the error of a task that will never give a picture.

    Whether it was charged is not told, so it counts as the most that it can have cost.
    """
    return ProviderError(
        f"flux has no picture for this task: {why}.",
        kind="bad_output",
        remote_id=task.id,
        billed_usd=task.cost_usd,
    )


def ambiguous(why: str, task: Task | None = None) -> ProviderError:
    """Build the error of paid work whose end nobody knows; with a task it can be fetched later."""
    return ProviderError(
        f"flux was sent a paid request and no picture came back: {why}.",
        kind="ambiguous",
        remote_id=task.id if task else None,
        billed_usd=None,
    )


def refused(answer: Answer, model: ProviderModel) -> ProviderError:
    """Build the error of a submission that was answered and not accepted."""
    status = answer.status
    reasons = {
        401: "the key is not accepted; check it",
        402: "the account has no credits left; add some",
        403: "the key may not do this; check it",
        404: f"there is no model '{model.model}' any more; {use(model.successor)}",
        429: "too many tasks at once; fewer will go through",
    }
    why = reasons.get(status) or _details(answer.json_object()) or "it does not say why"
    return ProviderError(
        f"flux did not accept the request (status {status}): {why}.",
        kind="quota" if status == 402 else kind_of_status(status),
        retry_after_s=retry_after_s(answer.headers),
    )


def _details(body: Mapping[str, Any]) -> str:
    """Return what FastAPI says of each field, without the values that were sent."""
    told = [
        f"{'.'.join(str(step) for step in problem.get('loc') or ())}: {problem.get('msg')}"
        for problem in list_in(body, "detail")
    ]
    return "; ".join(told)[:300]


def seed_of(result: Any) -> int | None:
    """Return the seed that was used, as a finished task tells it."""
    seed = result.get("seed") if isinstance(result, dict) else None
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
