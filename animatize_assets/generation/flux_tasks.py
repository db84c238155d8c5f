"""The conversation with Black Forest Labs about one task: submit, poll, fetch.

Three hosts take part: the one that is configured, the one that a task is polled at (it is told in
the answer to the submission), and the one that delivers the picture. The key goes to the first two
only, and to the second only when it is on the list of allowed hosts.

Sources: docs.bfl.ai (quick_start/generating_images, api_integration/errors) and its OpenAPI file;
help.bfl.ai/articles/2916279050 (June 2026): moderated requests are not charged.

Belongs here: addresses, answers and what they mean. Does not belong here: what is asked for
(``flux``), retries.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.http_answers import kind_of_status, retry_after_s
from animatize_assets.generation.http_exchange import Answer, HttpExchange, Unanswered
from animatize_assets.generation.verification import media_type_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from animatize_assets.generation.polling import Patience

_log = logging.getLogger(__name__)

USD_PER_CREDIT = 0.01
"""docs.bfl.ai/quick_start/pricing: prices are in credits, and 100 of them are a dollar."""

LOST_AFTER_LOOKS = 3
"""A task may not be known everywhere in the first moment; after three looks it is gone."""

WASTED_FETCHES = 2
"""A finished picture's address is good for ten minutes; polling again gives a fresh one. When that
is of no use either, the picture is gone."""

_BY_A_GATEWAY = (502, 504)
"""Something in between lost the service's answer; the task may be under way."""

SUBMIT_S = 60.0
"""Submitting only queues the task; an answer that takes longer is lost."""


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


class FluxTasks:
    """The service behind one address. The key is never part of an error, a log line or a repr.

    Raises ``NotConfigured`` when ``base_url`` would carry the key unencrypted over a network.
    """

    def __init__(self, api_key: SecretStr, base_url: str, allowed_hosts: Sequence[str]) -> None:
        self._key = api_key
        self._base = base_url.rstrip("/")
        self._allowed = tuple(pattern.lower() for pattern in allowed_hosts)
        self._http = HttpExchange()
        parts = urlsplit(self._base)
        self._own_host = (parts.hostname or "").lower()
        self._is_loopback = parts.scheme == "http" and _is_loopback(self._own_host)
        if parts.scheme != "https" and not self._is_loopback:
            raise NotConfigured(
                f"The address of flux begins with '{parts.scheme}://', which would send the key "
                "unencrypted; give one that begins with 'https://'."
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def submit(self, model: str, body: Mapping[str, Any], patience: Patience) -> Task:
        """Submit a task.

        Raises:
            ProviderError: it was not accepted, or (``ambiguous``) nobody knows whether it was.

        """
        try:
            answer = await self._http.post(
                f"{self._base}/v1/{quote(model, safe='')}",
                timeout_s=min(SUBMIT_S, patience.left_s),
                headers=self._headers,
                json_body=body,
            )
        except Unanswered as error:
            if error.sent:
                raise _ambiguous(f"the submission's answer was lost: {error.reason}") from error
            raise ProviderError(
                f"flux cannot be reached: {error.reason}.", kind="transient"
            ) from error
        if answer.status in _BY_A_GATEWAY:
            raise _ambiguous(f"a gateway answered with status {answer.status}")
        if answer.status != 200:
            raise _refused(answer, model)
        said = answer.json_object()
        name = said.get("id")
        if not isinstance(name, str):
            raise _ambiguous("the submission's answer is not readable")
        address = said.get("polling_url")
        if not isinstance(address, str):
            address = f"{self._base}/v1/get_result?id={quote(name, safe='')}"
        credits_ = _number(said.get("cost"))
        return Task(name, address, None if credits_ is None else credits_ * USD_PER_CREDIT)

    async def deliver(self, task: Task, patience: Patience) -> Delivered:
        """Poll ``task`` until it ends, and fetch its picture at once.

        Raises:
            ProviderError: it ended without a picture; or (``ambiguous``) it has not ended in time
                or nobody answers, and it can be fetched later.

        """
        if not self._may_carry_key(task.polling_url):
            raise ProviderError(
                f"flux wants to be polled at the host '{urlsplit(task.polling_url).hostname}', "
                "which is not on the list of hosts that may be sent the key; add it there.",
                kind="not_configured",
                remote_id=task.id,
                billed_usd=None,
            )
        unknown = wasted = 0
        while True:
            said, asked_s = await self._status(task, patience)
            status = str(said.get("status", "")).casefold()
            if status == "task not found":
                unknown += 1
                if unknown >= LOST_AFTER_LOOKS:
                    raise _gone(task, "it does not know the task any more")
            elif status == "ready":
                result = said.get("result")
                content = await self._sample(result, task, patience)
                if content is not None:
                    return Delivered(content, _seed(result))
                wasted += 1
                if wasted >= WASTED_FETCHES:
                    raise _gone(task, "the picture's address has expired or gives no picture")
            else:
                _raise_if_ended(status, said, task)
            await self._pause(task, patience, asked_s)

    async def _status(self, task: Task, patience: Patience) -> tuple[dict[str, Any], float | None]:
        """Ask once. What is empty is no answer; with it comes how long the server wants to wait."""
        try:
            answer = await self._http.get(
                task.polling_url, timeout_s=patience.step_s, headers=self._headers
            )
        except Unanswered as error:
            self._unheard(task, patience, error.reason)
            return {}, None
        if answer.status == 404:
            patience.heard()
            return {"status": "Task not found"}, None
        if answer.status in (401, 403):
            raise ProviderError(
                f"flux does not let the task be polled (status {answer.status}); check the key.",
                kind="not_configured",
                remote_id=task.id,
                billed_usd=None,
            )
        said = answer.json_object()
        if answer.status != 200 or not said:
            self._unheard(task, patience, f"it answered with status {answer.status}")
            return {}, retry_after_s(answer.headers)
        patience.heard()
        return said, None

    async def _sample(self, result: Any, task: Task, patience: Patience) -> bytes | None:
        """Fetch the picture, without the key; None when this address gives none."""
        address = result.get("sample") if isinstance(result, dict) else None
        if not isinstance(address, str) or not self._may_be_fetched(address):
            raise ProviderError(
                "flux says that the picture is ready but gives no https address for it.",
                kind="bad_output",
                remote_id=task.id,
                billed_usd=task.cost_usd,
            )
        while True:
            try:
                answer = await self._http.get(address, timeout_s=patience.step_s)
            except Unanswered as error:
                reason = error.reason
            else:
                if answer.status < 500 and answer.status not in (408, 429):
                    usable = answer.status == 200 and media_type_of(answer.content)
                    return answer.content if usable else None
                reason = f"the delivery answered with status {answer.status}"
            self._unheard(task, patience, reason)
            await self._pause(task, patience, None)

    def _unheard(self, task: Task, patience: Patience, reason: str) -> None:
        if patience.unheard():
            raise _ambiguous(f"it went silent: {reason}", task)

    async def _pause(self, task: Task, patience: Patience, asked_s: float | None) -> None:
        if patience.is_over:
            raise _ambiguous("the picture was not ready in time", task)
        await patience.pause(asked_s=asked_s)

    def _may_carry_key(self, address: str) -> bool:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
        if parts.scheme == "http":
            return self._is_loopback and _is_loopback(host)
        known = host == self._own_host or any(fnmatchcase(host, one) for one in self._allowed)
        return parts.scheme == "https" and known

    def _may_be_fetched(self, address: str) -> bool:
        parts = urlsplit(address)
        if parts.scheme == "http":
            return self._is_loopback and _is_loopback(parts.hostname or "")
        return parts.scheme == "https" and bool(parts.hostname)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-key": self._key.get_secret_value(), "accept": "application/json"}


def _raise_if_ended(status: str, said: Mapping[str, Any], task: Task) -> None:
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
        raise _gone(task, "it says that the task failed")
    if status not in ("", "pending"):
        _log.debug("flux task %s has the status %r; it is waited for.", task.id, said["status"])


def _gone(task: Task, why: str) -> ProviderError:
    """Build the error of a task that will never give a picture.

    Whether it was charged is not told, so it counts as the most that it can have cost.
    """
    return ProviderError(
        f"flux has no picture for this task: {why}.",
        kind="bad_output",
        remote_id=task.id,
        billed_usd=task.cost_usd,
    )


def _ambiguous(why: str, task: Task | None = None) -> ProviderError:
    return ProviderError(
        f"flux was sent a paid request and no picture came back: {why}.",
        kind="ambiguous",
        remote_id=task.id if task else None,
        billed_usd=None,
    )


def _refused(answer: Answer, model: str) -> ProviderError:
    """Build the error of a submission that was answered and not accepted."""
    status = answer.status
    reasons = {
        401: "the key is not accepted; check it",
        402: "the account has no credits left; add some",
        403: "the key may not do this; check it",
        404: f"there is no model '{model}'; choose one of the catalogue",
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
    found = body.get("detail")
    told = [
        f"{'.'.join(str(step) for step in problem.get('loc', ()))}: {problem.get('msg')}"
        for problem in (found if isinstance(found, list) else ())
        if isinstance(problem, dict)
    ]
    return "; ".join(told)[:300]


def _seed(result: Any) -> int | None:
    seed = result.get("seed") if isinstance(result, dict) else None
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")
