"""OpenAI's webhooks, as an alternative to polling: a batch that ended is asked after at once.

A webhook only says where to look: what it claims is never believed, the batch itself is asked. So a
repeated one changes nothing, and a lost one costs a poll's delay. Belongs here: its signature and
what follows. Does not belong here: the HTTP route.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import SecretStr

from animatize_assets.errors import WebhookRefused
from animatize_assets.prompts.expansion.batches import BatchDesk, PollResult

EVENTS = frozenset({"batch.completed", "batch.failed", "batch.expired", "batch.cancelled"})

TOLERANCE_S = 300
"""A webhook that was signed longer ago, or that much ahead, is a replay."""


class BatchWebhook:
    """Receives messages. ``secret``: ``whsec_...``, as OpenAI shows it once."""

    def __init__(self, desk: BatchDesk, secret: SecretStr) -> None:
        self._desk = desk
        self._secret = secret

    def receive(self, headers: Mapping[str, str], body: bytes) -> PollResult | None:
        """Check a message and ask after its batch; None when it is about nothing of ours.

        ``body``: the bytes as they came, since the signature is over them.

        Raises:
            WebhookRefused: it is unsigned, signed with another secret, or too old.

        """
        event = verified(headers, body, self._secret)
        if event.get("type") not in EVENTS:
            return None
        data = event.get("data")
        remote_id = data.get("id") if isinstance(data, dict) else None
        return self._desk.poll_one(remote_id) if isinstance(remote_id, str) else None


def verified(headers: Mapping[str, str], body: bytes, secret: SecretStr) -> dict[str, object]:
    """Return the event of a message that OpenAI signed in the last five minutes.

    Raises:
        WebhookRefused: it did not, or the message is no JSON object.

    """
    import openai

    # The key is not used: nothing is sent to check a signature.
    with openai.OpenAI(api_key="not-used") as client:
        try:
            client.webhooks.verify_signature(
                body, dict(headers), secret=secret.get_secret_value(), tolerance=TOLERANCE_S
            )
            event = json.loads(body)
        # The latter two: a header is missing, or a text is not in its encoding.
        except (openai.InvalidWebhookSignatureError, ValueError, TypeError) as error:
            raise WebhookRefused(
                "The webhook was refused: its signature, of at most "
                f"{TOLERANCE_S} s ago, does not match the secret; see ANIMATIZE_WEBHOOK_SECRET."
            ) from error
    if not isinstance(event, dict):
        raise WebhookRefused("The webhook was refused: its body is no JSON object.")
    return event
