"""``animatize serve``: the REST API and the dashboard, and the tokens that open them."""

from __future__ import annotations

from dataclasses import replace

import click

from animatize_assets.cli.terminal import Terminal
from animatize_assets.performance.nvml import NvidiaMonitor
from animatize_assets.web.server import serve as serve_until_ended
from animatize_assets.web.service import Service, token_file
from animatize_assets.web.tokens import Scope, TokenFile
from animatize_assets.workplace.opening import open_workplace


def serve(
    terminal: Terminal,
    *,
    host: str | None,
    port: int | None,
    new_token: str | None,
    scope: Scope | None,
    remove_token: str | None,
) -> int:
    """Serve until interrupted; or make, or remove, an access token.

    Raises:
        NotConfigured: off loopback without any token.
        InvalidSetting: the name of a token is taken, or is none; the tokens cannot be read.
    """
    if scope is not None and new_token is None:
        raise click.UsageError("--scope is of a token: say --new-token NAME, too.")
    if new_token is not None and remove_token is not None:
        raise click.UsageError("Make a token or remove one, not both at once.")
    workplace = open_workplace()
    settings = workplace.settings
    if new_token is not None:
        return _new_token(terminal, token_file(settings), new_token, scope or "read")
    if remove_token is not None:
        return _remove_token(terminal, token_file(settings), remove_token)
    host, port = host or settings.serve_host, settings.serve_port if port is None else port

    def ready(bound: int) -> None:
        address = f"http://[{host}]:{bound}/" if ":" in host else f"http://{host}:{bound}/"
        terminal.document({"url": address})
        terminal.say(f"Serving on {address} (the API: /openapi.json); Ctrl-C ends it.")

    service = Service.of(replace(workplace, gpu_monitor=NvidiaMonitor()), host=host)
    serve_until_ended(service, host=host, port=port, on_ready=ready)
    return 0


def _new_token(terminal: Terminal, tokens: TokenFile, name: str, scope: Scope) -> int:
    token = tokens.add(name, scope)
    terminal.document({"name": name, "scope": scope, "token": token})
    terminal.say_unwrapped(token)
    terminal.note(f"The token '{name}' may {scope}. It is shown this once; its hash is kept.")
    return 0


def _remove_token(terminal: Terminal, tokens: TokenFile, name: str) -> int:
    if not tokens.remove(name):
        terminal.error("token_not_found", f"There is no token named '{name}'.")
        return 1
    terminal.document({"removed": name})
    terminal.say(f"The token '{name}' opens nothing any more.")
    return 0
