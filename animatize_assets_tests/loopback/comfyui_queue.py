"""One worker that runs prompts one after the other, tells of it, and forgets when it restarts.

Belongs here: queue, history, cache, events. Does not belong here: HTTP.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from animatize_assets_tests.loopback import pictures
from animatize_assets_tests.loopback.comfyui_nodes import OUTPUTS, size_of, upstream
from animatize_assets_tests.loopback.openai_routes import wrong
from animatize_assets_tests.loopback.world import Turn, World

Json = dict[str, Any]
Send = Callable[[str | None, str, Json], Awaitable[None]]
"""Sends an event to one client, or with None to all."""


@dataclass
class Prompt:
    """One submitted graph."""

    id: str
    number: int
    graph: Json
    extra: Json
    outputs: tuple[str, ...]
    turn: Turn
    interrupted: bool = False

    def entry(self) -> list[Any]:
        """Return it as the queue shows it."""
        return [self.number, self.id, self.graph, self.extra, list(self.outputs)]


@dataclass
class Queue:
    """Everything that a restart loses, and the files, which it does not."""

    world: World
    send: Send
    pending: list[Prompt] = field(default_factory=list)
    running: Prompt | None = None
    history: dict[str, Json] = field(default_factory=dict)
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    """By type, subfolder and name."""
    cached: dict[str, Json] = field(default_factory=dict)
    """Outputs by everything that determines them."""
    counters: dict[str, int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    cut: Callable[[str | None], Awaitable[None]] | None = None
    """Closes a client's websocket."""

    def remaining(self) -> int:
        """Count what is queued or running."""
        return len(self.pending) + (self.running is not None)

    def knows(self, name: str) -> bool:
        """Whether a prompt id is in use."""
        held = [*self.pending, *([self.running] if self.running else [])]
        return name in self.history or any(prompt.id == name for prompt in held)

    async def add(self, prompt: Prompt) -> None:
        """Queue a prompt."""
        self.pending.append(prompt)
        self.wake.set()
        await self.tell_status()

    def forget(self) -> None:
        """Lose everything that lives in memory."""
        self.pending.clear()
        self.history.clear()
        self.cached.clear()
        if self.running is not None:
            self.running.interrupted = True
            self.running = None

    async def tell_status(self) -> None:
        """Tell every client how much is left."""
        await self.send(
            None, "status", {"status": {"exec_info": {"queue_remaining": self.remaining()}}}
        )

    async def work(self) -> None:
        """Run prompts until cancelled."""
        while True:
            self.wake.clear()
            while self.pending:
                prompt = min(self.pending, key=lambda one: one.number)
                self.pending.remove(prompt)
                self.running = prompt
                await self.tell_status()
                await self._run(prompt)
            await self.wake.wait()

    async def _run(self, prompt: Prompt) -> None:
        client = prompt.extra.get("client_id")
        messages: list[list[Any]] = []

        async def tell(event: str, data: Json, *, note: bool = False) -> None:
            whole = {"prompt_id": prompt.id, **data}
            if note:
                whole["timestamp"] = int(time.time() * 1000)
                messages.append([event, whole])
            if client:
                await self.send(client, event, whole)

        await tell("execution_start", {}, note=True)
        if prompt.turn.shows("lost"):
            self.running = None
            return
        keys = {name: self._key(prompt, name) for name in prompt.outputs}
        known = [name for name in prompt.outputs if keys[name] in self.cached]
        cached = sorted({node for name in known for node in upstream(prompt.graph, name)})
        await tell("execution_cached", {"nodes": cached}, note=True)
        outputs: Json = {}
        failed: Json | None = None
        for name in prompt.outputs:
            if name not in known:
                failed = await self._make(prompt, name, keys[name], tell)
            if failed is not None or self.running is not prompt:
                break
            outputs[name] = self.cached[keys[name]]
            node = {"node": name, "display_node": name}
            await tell("executed", {**node, "output": outputs[name]})
        if self.running is not prompt:
            return
        await self._end(prompt, outputs, failed, messages, tell)

    async def _end(
        self,
        prompt: Prompt,
        outputs: Json,
        failed: Json | None,
        messages: list[list[Any]],
        tell: Callable[..., Awaitable[None]],
    ) -> None:
        if failed is None:
            await tell("execution_success", {}, note=True)
        else:
            event = "execution_interrupted" if prompt.interrupted else "execution_error"
            await tell(event, failed, note=True)
        self.history[prompt.id] = {
            "prompt": prompt.entry(),
            "outputs": outputs,
            "status": {
                "status_str": "success" if failed is None else "error",
                "completed": failed is None,
                "messages": messages,
            },
            "meta": {name: {"node_id": name, "display_node": name} for name in outputs},
        }
        self.running = None
        await self.tell_status()
        await tell("executing", {"node": None})

    async def _make(
        self, prompt: Prompt, output: str, key: str, tell: Callable[..., Awaitable[None]]
    ) -> Json | None:
        started = time.monotonic()
        ends = started + self.world.draw("comfyui")
        nodes = upstream(prompt.graph, output)
        for at, name in enumerate(nodes):
            node = {"node": name, "display_node": name}
            state = {name: {"value": 0.0, "max": 1.0, "state": "running", "node_id": name}}
            await tell("progress_state", {"nodes": state})
            await tell("executing", node)
            if prompt.turn.shows("ws_loss") and at == 0 and self.cut is not None:
                await self.cut(prompt.extra.get("client_id"))
            share = (ends - started) / len(nodes)
            await asyncio.sleep(share)
            facts = {
                "node_id": name,
                "node_type": prompt.graph[name]["class_type"],
                "executed": nodes[:at],
            }
            if prompt.interrupted:
                return facts
            if prompt.turn.shows("execution_error"):
                return {
                    **facts,
                    "exception_message": "cannot identify image file",
                    "exception_type": prompt.turn.code or "PIL.UnidentifiedImageError",
                    "traceback": ['  File "execution.py", line 1, in execute\n'],
                    "current_inputs": {},
                    "current_outputs": [],
                }
        self.world.traffic.worked("comfyui", started)
        about = json.dumps(prompt.graph, sort_keys=True)
        self.world.bill.charge("comfyui", "own hardware", 0, remote_id=prompt.id, about=about)
        self.cached[key] = {"images": [self._save(prompt, output, about)]}
        return None

    def _save(self, prompt: Prompt, output: str, about: str) -> Json:
        node = prompt.graph[output]
        kind = OUTPUTS[node["class_type"]]
        prefix = node["inputs"].get("filename_prefix", "ComfyUI_temp")
        subfolder, _, stem = str(prefix).rpartition("/")
        count = self.counters[prefix] = self.counters.get(prefix, 0) + 1
        name = f"{stem}_{count:05d}_.png"
        width, height = size_of(prompt.graph, output)
        form = "jpeg" if prompt.turn.shows("mislabelled") else "png"
        content = wrong(prompt.turn, width, height) or pictures.picture(width, height, about, form)
        self.files[kind, subfolder, name] = content
        return {"filename": name, "subfolder": subfolder, "type": kind}

    def _key(self, prompt: Prompt, output: str) -> str:
        parts = {name: prompt.graph[name] for name in upstream(prompt.graph, output)}
        return json.dumps({"at": output, "nodes": parts}, sort_keys=True)
