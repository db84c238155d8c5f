"""Black Forest Labs: submit, poll on another host, fetch from a third.

Belongs here: the three hosts of this protocol. Does not belong here: what a picture looks like.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from animatize_assets_tests.loopback import billing, pictures
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.openai_routes import wrong
from animatize_assets_tests.loopback.world import Protocol, Turn, World, route, wait_headers

Json = dict[str, Any]
MAX_ACTIVE = 24
MAX_ACTIVE_KONTEXT_MAX = 6
SIGNED_URL_S = 600
"""Virtual seconds for which the address of a finished picture is good."""

RATIO_MODELS = {"flux-pro-1.1-ultra", "flux-kontext-pro", "flux-kontext-max"}
RATIO_PIXELS = 1024 * 1024


@dataclass
class Task:
    """One submitted picture."""

    id: str
    model: str
    body: Json
    width: int
    height: int
    seed: int
    ready_at: float
    turn: Turn
    polls: int = 0
    urls: dict[str, float] = field(default_factory=dict)
    """Signature of each handed out address, and when it ends."""


class Flux:
    """The state of this protocol."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks: dict[str, Task] = {}
        self.most_active = 0

    def mount(self, submit: web.Application, poll: web.Application, give: web.Application) -> None:
        """Add the routes of the three hosts."""
        world = self.world
        submit.router.add_post(
            "/v1/{model}", route(world, PROTOCOL, "flux.submit", self.submit, billable=True)
        )
        submit.router.add_get("/v1/credits", route(world, PROTOCOL, "flux.credits", self.credits))
        poll.router.add_get("/v1/get_result", route(world, POLLING, "flux.poll", self.result))
        give.router.add_get("/picture/{id}", route(world, DELIVERY, "flux.delivery", self.deliver))

    def active(self, model: str | None = None) -> int:
        """Count the tasks that are not finished."""
        now = time.monotonic()
        return sum(
            task.ready_at > now and model in (None, task.model) for task in self.tasks.values()
        )

    def expire(self) -> None:
        """Let every address that was handed out end now."""
        for task in self.tasks.values():
            task.urls = dict.fromkeys(task.urls, 0.0)

    async def submit(self, request: web.Request, turn: Turn) -> web.Response:
        """Accept a task and bill it, unless it will end without a picture."""
        model, world = request.match_info["model"], self.world
        if model not in billing.FLUX_PRICES:
            return web.json_response({"detail": "Not Found"}, status=404)
        body = await request.json()
        if problem := _invalid(model, body):
            return web.json_response({"detail": [problem]}, status=422)
        full = self.active() >= MAX_ACTIVE or (
            model == "flux-kontext-max" and self.active(model) >= MAX_ACTIVE_KONTEXT_MAX
        )
        if full:
            return _error(world, Fault("rate_limited"))
        await asyncio.sleep(world.draw("flux_submit"))
        width, height = _size(model, body)
        seed = body.get("seed")
        task = Task(
            id=str(uuid.uuid4()),
            model=model,
            body=body,
            width=width,
            height=height,
            seed=seed if seed is not None else world.number(),
            ready_at=time.monotonic() + world.draw("flux"),
            turn=turn,
        )
        self.tasks[task.id] = task
        self.most_active = max(self.most_active, self.active())
        world.traffic.worked("flux", time.monotonic(), task.ready_at)
        megapixels = width * height / 1e6
        first, further = billing.FLUX_PRICES[model]
        cost = first + further * max(0, -(-width * height // 1_000_000) - 1)
        if not any(turn.shows(kind) for kind in ("refused", "task_error", "task_lost")):
            world.bill.charge(
                "flux",
                model,
                round(cost * billing.NANO),
                remote_id=task.id,
                about=body["prompt"],
            )
        return web.json_response(
            {
                "id": task.id,
                "polling_url": f"{world.urls['flux_poll']}/v1/get_result?id={task.id}",
                "cost": round(cost * 100, 6),
                "input_mp": 0.0,
                "output_mp": round(megapixels, 2),
            }
        )

    async def credits(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002 - one shape for all
        """Answer what is left."""
        return web.json_response({"credits": 10_000 - self.world.bill.total_usd("flux") * 100})

    async def result(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Answer how a task is doing."""
        task = self.tasks.get(request.query.get("id", ""))
        if task is None or task.turn.shows("task_lost"):
            name = request.query.get("id", "")
            return web.json_response({"id": name, "status": "Task not found", "result": None})
        task.polls += 1
        left = task.ready_at - time.monotonic()
        if left > 0:
            return self._status(task, "Pending", progress=0.4)
        if task.turn.shows("unknown_status") and task.polls < 3:
            return self._status(task, "Reasoning")
        if task.turn.shows("refused"):
            code = task.turn.code or "Content Moderated"
            return self._status(task, code, details={"Moderation Reasons": ["violence"]})
        if task.turn.shows("task_error"):
            return self._status(task, "Error")
        return self._status(task, "Ready", result=self._ready(task))

    def _ready(self, task: Task) -> Json:
        signature = uuid.uuid4().hex
        expired = task.turn.shows("expired") and not task.urls
        ends = 0.0 if expired else time.monotonic() + self.world.real(SIGNED_URL_S)
        task.urls[signature] = ends
        sample = f"{self.world.urls['flux_delivery']}/picture/{task.id}?sig={signature}"
        return {"sample": sample, "prompt": task.body["prompt"], "seed": task.seed}

    def _status(self, task: Task, status: str, **fields: Any) -> web.Response:
        empty = {"result": None, "progress": None, "details": None, "preview": None}
        return web.json_response({"id": task.id, "status": status, **empty, **fields})

    async def deliver(self, request: web.Request, turn: Turn) -> web.Response:
        """Hand the picture to whoever holds the address; a key has no business here."""
        task = self.tasks.get(request.match_info["id"])
        ends = task.urls.get(request.query.get("sig", "")) if task else None
        if "x-key" in request.headers or "Authorization" in request.headers:
            return web.Response(status=400, text="Only the signature is accepted.")
        if task is None or ends is None or ends <= time.monotonic():
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        asked = task.body.get("output_format") or ("png" if "kontext" in task.model else "jpeg")
        form = asked
        if task.turn.shows("mislabelled"):
            form = "jpeg" if asked == "png" else "png"
        about = f"{task.model} {task.body['prompt']} {task.seed}"
        content = (
            wrong(task.turn, task.width, task.height)
            or wrong(turn, task.width, task.height)
            or pictures.picture(task.width, task.height, about, form)
        )
        if task.turn.shows("empty"):
            content = b""
        return web.Response(body=content, content_type=f"image/{asked}")


def _size(model: str, body: Json) -> tuple[int, int]:
    if model in RATIO_MODELS:
        across, down = (int(side) for side in body.get("aspect_ratio", "16:9").split(":"))
        width = round((RATIO_PIXELS * across / down) ** 0.5 / 16) * 16
        return width, round(RATIO_PIXELS / width / 16) * 16
    return body.get("width") or 1024, body.get("height") or 768


def _invalid(model: str, body: Json) -> Json | None:
    if not body.get("prompt"):
        return {"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}
    if model in RATIO_MODELS:
        return None
    step, least, most = (16, 64, 4096) if model.startswith("flux-2") else (32, 256, 1440)
    for side in ("width", "height"):
        value = body.get(side) or 1024
        if value % step:
            return {
                "loc": ["body", side],
                "msg": f"Input should be a multiple of {step}",
                "type": "multiple_of",
            }
        if not least <= value <= most:
            return {"loc": ["body", side], "msg": "Input out of range", "type": "out_of_range"}
    return None


def _error(world: World, fault: Fault) -> web.Response:
    if fault.kind == "quota":
        return web.json_response({"detail": "Insufficient credits"}, status=402)
    if fault.kind == "rate_limited":
        headers = dict(fault.headers) or wait_headers(world)
        # This API knows only the standard header.
        headers = {k: v for k, v in headers.items() if k != "retry-after-ms"}
        return web.json_response({"detail": "Too many active tasks"}, status=429, headers=headers)
    status = fault.status or (500, 503)[int(world.faults.throw("errors") * 2)]
    return web.json_response({"detail": "Internal error"}, status=status)


def _unauthorised(request: web.Request, world: World) -> web.Response | None:
    if request.headers.getall("x-key", []) == [world.keys["flux"]]:
        return None
    return web.json_response({"detail": "Not authenticated - Invalid API key"}, status=403)


def _open(request: web.Request, world: World) -> web.Response | None:
    return None


PROTOCOL = Protocol("flux", _error, _unauthorised)
POLLING = Protocol("flux_poll", _error, _open)
DELIVERY = Protocol("flux_delivery", _error, _open)
