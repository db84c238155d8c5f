"""ComfyUI's HTTP and websocket routes.

Belongs here: these routes, also under ``/api``. Does not belong here: running a prompt
(``comfyui_queue``).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

from aiohttp import WSCloseCode, web

from animatize_assets_tests.loopback.comfyui_nodes import NODES, check
from animatize_assets_tests.loopback.comfyui_queue import Prompt, Queue
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.world import Protocol, Turn, World, route

Json = dict[str, Any]
MAX_UPLOAD_BYTES = 104_857_600
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ComfyUI:
    """The state of this protocol."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.queue = Queue(world, self._send)
        self.queue.cut = self.cut
        self.uploads: dict[str, bytes] = {}
        self._numbers = iter(range(1 << 60))

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        for method, path, name, work, billable in (
            ("GET", "/system_stats", "comfyui.stats", self.stats, False),
            ("GET", "/features", "comfyui.features", self.features, False),
            ("GET", "/object_info", "comfyui.object_info", self.object_info, False),
            ("GET", "/object_info/{kind}", "comfyui.object_info", self.object_info, False),
            ("POST", "/upload/image", "comfyui.upload", self.upload, False),
            ("POST", "/prompt", "comfyui.prompt", self.submit, True),
            ("GET", "/prompt", "comfyui.remaining", self.remaining, False),
            ("GET", "/queue", "comfyui.queue", self.show_queue, False),
            ("POST", "/queue", "comfyui.queue.delete", self.change_queue, False),
            ("GET", "/history", "comfyui.history", self.history, False),
            ("GET", "/history/{id}", "comfyui.history", self.history, False),
            ("POST", "/history", "comfyui.history.delete", self.change_history, False),
            ("GET", "/view", "comfyui.view", self.view, False),
            ("POST", "/interrupt", "comfyui.interrupt", self.interrupt, False),
            ("GET", "/ws", "comfyui.ws", self.websocket, False),
        ):
            wrapped = route(self.world, PROTOCOL, name, work, billable=billable)
            for prefix in ("", "/api"):
                app.router.add_route(method, prefix + path, wrapped)

    async def restart(self) -> None:
        """Forget everything in memory and close every websocket."""
        self.queue.forget()
        for client in list(self.sockets):
            await self.cut(client)

    async def cut(self, client: str | None) -> None:
        """Close one client's websocket without a farewell."""
        socket = self.sockets.pop(client or "", None)
        if socket is not None:
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def stats(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002 - one shape for all
        """Describe the machine."""
        system = {"os": "posix", "comfyui_version": "0.38.1", "python_version": "3.11", "argv": []}
        device = {"name": "cpu", "type": "cpu", "index": None, "vram_total": 0, "vram_free": 0}
        return web.json_response({"system": system, "devices": [device]})

    async def features(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Describe what the server can."""
        return web.json_response(
            {"supports_preview_metadata": True, "max_upload_size": MAX_UPLOAD_BYTES}
        )

    async def object_info(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Describe the nodes."""
        kind = request.match_info.get("kind")
        chosen = NODES if kind is None else {kind: NODES[kind]} if kind in NODES else {}
        return web.json_response(
            {name: {"input": {"required": inputs}, "name": name} for name, inputs in chosen.items()}
        )

    async def upload(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Take an image; another one of the same name gets a number."""
        form = await request.post()
        sent = form.get("image")
        if not isinstance(sent, web.FileField):
            return web.Response(status=400)
        content, name = sent.file.read(), sent.filename
        subfolder = str(form.get("subfolder", ""))
        if form.get("overwrite") not in {"true", "1"}:
            stem, dot, suffix = name.rpartition(".")
            number = 1
            while self._differs(name, content):
                name = f"{stem} ({number}){dot}{suffix}"
                number += 1
        self.uploads[f"{subfolder}/{name}" if subfolder else name] = content
        return web.json_response({"name": name, "subfolder": subfolder, "type": "input"})

    def _differs(self, name: str, content: bytes) -> bool:
        held = self.uploads.get(name)
        return (
            held is not None and hashlib.sha256(held).digest() != hashlib.sha256(content).digest()
        )

    async def submit(self, request: web.Request, turn: Turn) -> web.Response:
        """Check a graph and queue it."""
        try:
            body = await request.json()
        except ValueError:
            text = "500 Internal Server Error\n\nServer got itself in trouble"
            return web.Response(status=500, text=text)
        if "prompt" not in body:
            return _refused("no_prompt", "No prompt provided")
        name = body.get("prompt_id", str(uuid.uuid4()))
        if not (isinstance(name, str) and UUID.fullmatch(name)):
            return _refused("invalid_prompt_id", "prompt_id must be a canonical lowercase UUID")
        if self.queue.knows(name):
            return web.json_response({"error": "prompt_id already exists"}, status=409)
        checked = check(body["prompt"], set(self.uploads))
        if checked.error is not None:
            answer = {"error": checked.error, "node_errors": checked.node_errors}
            return web.json_response(answer, status=400)
        number = next(self._numbers)
        number = -number if body.get("front") else number
        extra = dict(body.get("extra_data", {}))
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        await self.queue.add(Prompt(name, number, body["prompt"], extra, checked.outputs, turn))
        return web.json_response(
            {"prompt_id": name, "number": number, "node_errors": checked.node_errors}
        )

    async def remaining(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Count what is left."""
        return web.json_response({"exec_info": {"queue_remaining": self.queue.remaining()}})

    async def show_queue(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Show what runs and what waits."""
        running = [self.queue.running.entry()] if self.queue.running else []
        pending = [prompt.entry() for prompt in reversed(self.queue.pending)]
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def change_queue(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Remove waiting prompts."""
        body = await request.json()
        gone = set(body.get("delete", []))
        self.queue.pending = [
            prompt
            for prompt in self.queue.pending
            if not body.get("clear") and prompt.id not in gone
        ]
        await self.queue.tell_status()
        return web.Response()

    async def history(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Show what has ended; of anything else, {}."""
        name = request.match_info.get("id")
        if name is None:
            return web.json_response(self.queue.history)
        found = self.queue.history.get(name)
        return web.json_response({name: found} if found else {})

    async def change_history(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Forget ended prompts."""
        body = await request.json()
        for name in list(self.queue.history) if body.get("clear") else body.get("delete", []):
            self.queue.history.pop(name, None)
        return web.Response()

    async def view(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Hand a file out."""
        name, query = request.query.get("filename", ""), request.query
        if ".." in name or name.startswith("/"):
            return web.Response(status=400)
        kind, subfolder = query.get("type", "output"), query.get("subfolder", "")
        content = self.queue.files.get((kind, subfolder, name))
        if kind == "input":
            content = self.uploads.get(name)
        if content is None:
            return web.Response(status=404)
        return web.Response(
            body=content,
            content_type="image/png",
            headers={"Content-Disposition": f'filename="{name}"'},
        )

    async def interrupt(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Interrupt one prompt, or without a body whatever runs."""
        body = await request.json() if request.can_read_body else {}
        running, name = self.queue.running, body.get("prompt_id")
        if running is not None and name in (None, running.id):
            running.interrupted = True
        return web.Response()

    async def websocket(self, request: web.Request, turn: Turn) -> web.StreamResponse:  # noqa: ARG002
        """Tell one client of its prompts."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.query.get("clientId") or uuid.uuid4().hex
        if client in self.sockets:
            await self.cut(client)
        self.sockets[client] = socket
        info = {"exec_info": {"queue_remaining": self.queue.remaining()}}
        await self._send(client, "status", {"status": info, "sid": client})
        async for _ in socket:
            pass
        if self.sockets.get(client) is socket:
            del self.sockets[client]
        return socket

    async def _send(self, client: str | None, event: str, data: Json) -> None:
        names = list(self.sockets) if client is None else [client]
        for name in names:
            socket = self.sockets.get(name)
            if socket is None or socket.closed:
                continue
            try:
                await socket.send_json({"type": event, "data": data})
            except ConnectionError:
                self.sockets.pop(name, None)


def _refused(kind: str, message: str) -> web.Response:
    error = {"type": kind, "message": message, "details": message, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": {}}, status=400)


def _error(world: World, fault: Fault) -> web.Response:
    status = 429 if fault.kind in {"rate_limited", "quota"} else fault.status or 500
    return web.Response(status=status, text=f"{status}: disturbed")


def _open(request: web.Request, world: World) -> web.Response | None:
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return web.Response(status=403)
    return None


PROTOCOL = Protocol("comfyui", _error, _open)
