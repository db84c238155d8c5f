"""``animatize webhook``: receive OpenAI's messages about batches instead of polling.

Belongs here: the HTTP route and its answers. Does not belong here: what a message means
(``prompts.expansion.webhook``). The server listens on loopback; a proxy of yours gives it TLS and
an address that OpenAI can reach.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import AnimatizeError, NotConfigured, WebhookRefused
from animatize_assets.pipeline.source_opening import open_expansions
from animatize_assets.prompts.expansion.webhook import BatchWebhook
from animatize_assets.workplace.opening import open_workplace

if TYPE_CHECKING:
    from aiohttp import web

ROUTE = "/webhooks/openai"
HOST = "127.0.0.1"
MAX_BODY_BYTES = 64_000
"""Far more than a message has; what is longer is answered with 413 unread."""


def webhook(terminal: Terminal, port: int) -> int:
    """Serve until interrupted.

    Raises:
        NotConfigured: there is no signing secret, or OpenAI is not configured.
    """
    from aiohttp import web  # only this command is a server

    workplace = open_workplace()
    secret = workplace.settings.webhook_secret
    if secret is None:
        raise NotConfigured(
            "Messages cannot be told from forgeries: set ANIMATIZE_WEBHOOK_SECRET to the signing "
            "secret that OpenAI showed when the webhook was made."
        )
    workplace.check_provider("openai")
    expansions = open_expansions(workplace.generation, workplace.images.engine)
    if expansions is None:
        raise NotConfigured("Provider 'openai' is not configured.")
    receiver = BatchWebhook(expansions.desk(), secret)

    def ready(_: object) -> None:
        terminal.say(f"Listening on http://{HOST}:{port}{ROUTE}; Ctrl-C ends it.")

    web.run_app(application(receiver, terminal), host=HOST, port=port, print=ready)
    return 0


def application(receiver: BatchWebhook, terminal: Terminal) -> web.Application:
    """Return the application with its one route.

    204: the message was for us, or about nothing of ours. 401: it is not surely OpenAI's. 503: the
    batch could not be asked after; OpenAI sends the message again.
    """
    from aiohttp import web  # only this command is a server

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            # Asking after a batch is blocking work of seconds.
            found = await asyncio.to_thread(receiver.receive, request.headers, body)
        except WebhookRefused as error:
            return web.Response(status=401, text=error.message)
        except AnimatizeError as error:
            terminal.note(error.message)
            return web.Response(status=503, text="The batch could not be asked after.")
        if found is not None:
            terminal.say(f"{len(found.finished)} expansions have come.")
            for note in found.notes:
                terminal.note(note)
        return web.Response(status=204)

    served = web.Application(client_max_size=MAX_BODY_BYTES)
    served.router.add_post(ROUTE, receive)
    return served
