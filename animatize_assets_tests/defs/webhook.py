"""A webhook on the loopback, in a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What was posted. ``answer``: what the next posts get, once ``is_awake`` is set."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer = 200
        self.is_awake = threading.Event()
        self.is_awake.set()
        self.received: list[dict[str, Any]] = []


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve until the block ends."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            opened.is_awake.wait()
            opened.received.append(json.loads(body))
            with suppress(ConnectionError):  # whoever gave up waiting is gone
                self.send_response(opened.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    opened = Webhook(f"http://127.0.0.1:{server.server_port}/alerts")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield opened
    finally:
        opened.is_awake.set()
        server.shutdown()
        thread.join()
        server.server_close()
