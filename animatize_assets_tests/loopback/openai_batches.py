"""OpenAI's files and batches.

A batch moves on only when somebody retrieves it. Belongs here: these routes and what a batch's end
may look like. Does not belong here: what one line answers (``openai_routes``).
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from animatize_assets_tests.loopback.openai_errors import PROTOCOL, Refusal
from animatize_assets_tests.loopback.openai_routes import OpenAI, check_chat
from animatize_assets_tests.loopback.world import Turn, World, route

Json = dict[str, Any]
WINDOW_S = 24 * 3600
MAX_LINES = 50_000
NOT_EXECUTED = "This request could not be executed before the completion window expired."
ACTIVE = {"validating", "in_progress", "finalizing"}


@dataclass(frozen=True)
class BatchPlan:
    """How a batch will go. Shares are of its lines, drawn by the server's seed."""

    outcome: str = "completed"
    """``completed``, ``failed`` (at validation), ``expired``; cancelling is the client's."""
    polls: int = 2
    """Retrievals until it has ended, validation and finalizing included."""
    shuffled: bool = True
    failed: float = 0.0
    """Lines that are answered with an HTTP error."""
    unexecuted: float = 0.0
    """Lines that a batch which expires or is cancelled did not come to."""
    missing: float = 0.0
    """Lines that were executed and billed, and are in no file."""
    duplicated: float = 0.0
    unknown: int = 0
    """Lines with a ``custom_id`` that nobody sent."""
    garbage: int = 0
    """Lines that are no JSON."""


@dataclass
class _File:
    id: str
    name: str
    purpose: str
    content: bytes
    created_at: int


class Batches:
    """The state of files and batches."""

    def __init__(self, world: World, openai: OpenAI, plan: BatchPlan | None = None) -> None:
        self.world = world
        self.openai = openai
        self.plan = plan or BatchPlan()
        """Of every batch for which no other was scripted."""
        self.plans: deque[BatchPlan] = deque()
        """Of the next batches, in order."""
        self.files: dict[str, _File] = {}
        self.batches: dict[str, Json] = {}
        self._plan_of: dict[str, BatchPlan] = {}
        self._polls: dict[str, int] = {}
        self._dice = random.Random(f"batches-{world.seed}")

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        for method, path, name, work in (
            ("POST", "/v1/files", "openai.files", self.upload),
            ("GET", "/v1/files", "openai.files.list", self.list_files),
            ("GET", "/v1/files/{id}", "openai.files.get", self.file),
            ("DELETE", "/v1/files/{id}", "openai.files.delete", self.delete),
            ("GET", "/v1/files/{id}/content", "openai.files.content", self.content),
            ("POST", "/v1/batches", "openai.batches", self.create),
            ("GET", "/v1/batches", "openai.batches.list", self.list_batches),
            ("GET", "/v1/batches/{id}", "openai.batches.get", self.retrieve),
            ("POST", "/v1/batches/{id}/cancel", "openai.batches.cancel", self.cancel),
        ):
            app.router.add_route(method, path, route(self.world, PROTOCOL, name, work))

    async def upload(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002 - one shape for all
        """Take a file."""
        form = await request.post()
        sent = form.get("file")
        if form.get("purpose") != "batch" or not isinstance(sent, web.FileField):
            return Refusal(400, "invalid_value", "Invalid 'purpose' or 'file'.", "file").response(
                self.world
            )
        if not sent.filename.endswith(".jsonl"):
            return Refusal(400, None, "Batch files must be .jsonl.", "file").response(self.world)
        return web.json_response(self._file(self._store(sent.filename, "batch", sent.file.read())))

    async def list_files(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """List all files, newest first."""
        items = [self._file(each) for each in reversed(self.files.values())]
        return web.json_response({"object": "list", "data": items, "has_more": False})

    async def file(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Describe a file."""
        found = self.files.get(request.match_info["id"])
        return web.json_response(self._file(found)) if found else self._no("file")

    async def delete(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Remove a file."""
        found = self.files.pop(request.match_info["id"], None)
        if found is None:
            return self._no("file")
        return web.json_response({"id": found.id, "object": "file", "deleted": True})

    async def content(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Hand a file out."""
        found = self.files.get(request.match_info["id"])
        if found is None:
            return self._no("file")
        return web.Response(body=found.content, content_type="application/octet-stream")

    async def create(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Start a batch."""
        body = await request.json()
        source = self.files.get(body.get("input_file_id", ""))
        if source is None:
            return self._no("file")
        if body.get("completion_window") != "24h":
            return Refusal(
                400, "invalid_value", "Invalid 'completion_window'.", "completion_window"
            ).response(self.world)
        now = int(time.time())
        name = f"batch_{self.world.number()}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": None,
            "input_file_id": source.id,
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "expires_at": now + WINDOW_S,
            **{
                f"{what}_at": None
                for what in (
                    "in_progress", "finalizing", "completed", "failed", "expired", "cancelling",
                    "cancelled",
                )
            },
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }  # fmt: skip
        self._plan_of[name] = self.plans.popleft() if self.plans else self.plan
        self._polls[name] = 0
        return web.json_response(self.batches[name])

    async def list_batches(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """List batches, newest first, a page at a time."""
        limit = int(request.query.get("limit", "20"))
        items = list(reversed(self.batches.values()))
        after = request.query.get("after")
        if after is not None:
            names = [item["id"] for item in items]
            items = items[names.index(after) + 1 :] if after in names else []
        page = items[:limit]
        return web.json_response(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": len(items) > limit,
            }
        )

    async def retrieve(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Describe a batch, which moves on by it."""
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return self._no("batch")
        self._advance(batch)
        return web.json_response(batch)

    async def cancel(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002
        """Start cancelling; the next retrieval finds it cancelled."""
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return self._no("batch")
        if batch["status"] not in ACTIVE:
            return Refusal(409, None, f"The batch is {batch['status']}.").response(self.world)
        self._set(batch, "cancelling")
        return web.json_response(batch)

    def _advance(self, batch: Json) -> None:
        plan = self._plan_of[batch["id"]]
        if batch["status"] == "cancelling":
            self._finish(batch, plan, "cancelled")
            return
        if batch["status"] not in ACTIVE:
            return
        self._polls[batch["id"]] += 1
        if batch["status"] == "validating" and (problems := self._problems(batch, plan)):
            batch["errors"] = {"object": "list", "data": problems}
            self._set(batch, "failed")
        elif self._polls[batch["id"]] >= plan.polls:
            self._finish(batch, plan, "expired" if plan.outcome == "expired" else "completed")
        elif batch["status"] == "validating":
            batch["request_counts"]["total"] = len(self._lines(batch))
            self._set(batch, "in_progress")
        else:
            self._set(batch, "finalizing")

    def _problems(self, batch: Json, plan: BatchPlan) -> list[Json]:
        if plan.outcome == "failed":
            return [_problem("invalid_json_line", "This line is not valid JSON.", 1)]
        problems, seen, models = [], set(), set()
        lines = self._lines(batch)
        if not 0 < len(lines) <= MAX_LINES:
            problems.append(_problem("invalid_request_count", f"{len(lines)} requests.", None))
        for number, line in enumerate(lines, start=1):
            if not isinstance(line, dict) or set(line) < {"custom_id", "method", "url", "body"}:
                problems.append(_problem("invalid_json_line", "This line is not valid.", number))
                continue
            if line["custom_id"] in seen:
                problems.append(_problem("duplicate_custom_id", "Duplicate custom_id.", number))
            if line["url"] != batch["endpoint"]:
                problems.append(_problem("mismatched_url", "The url is not the endpoint.", number))
            seen.add(line["custom_id"])
            models.add(line["body"].get("model"))
        if len(models) > 1:
            problems.append(_problem("mismatched_model", "One model per file.", None))
        return problems

    def _lines(self, batch: Json) -> list[Any]:
        lines = []
        for text in self.files[batch["input_file_id"]].content.decode().splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                lines.append(None)
        return lines

    def _finish(self, batch: Json, plan: BatchPlan, status: str) -> None:
        good: list[str] = []
        bad: list[str] = []
        lines = self._lines(batch)
        counts = {"total": len(lines), "completed": 0, "failed": 0}
        partial = status in {"expired", "cancelled"}
        for line in lines:
            if partial and self._dice.random() < plan.unexecuted:
                code = "batch_expired" if status == "expired" else "batch_cancelled"
                bad.append(self._line(line, None, {"code": code, "message": NOT_EXECUTED}))
                continue
            answer = self._answer(line["url"], line["body"], plan)
            fine = answer["status_code"] == 200
            counts["completed" if fine else "failed"] += 1
            if self._dice.random() >= plan.missing:
                (good if fine else bad).append(self._line(line, answer, None))
        good += [line for line in good if self._dice.random() < plan.duplicated]
        good += [
            self._line({"custom_id": f"nobody-{number}"}, {"status_code": 200, "body": {}}, None)
            for number in range(plan.unknown)
        ]
        good += ['{"id": "batch_req_x", "custom'] * plan.garbage
        if plan.shuffled:
            self._dice.shuffle(good)
            self._dice.shuffle(bad)
        for key, content in (("output_file_id", good), ("error_file_id", bad)):
            if content:
                name = f"{batch['id']}_{key}.jsonl"
                body = ("\n".join(content) + "\n").encode()
                batch[key] = self._store(name, "batch_output", body).id
        batch["request_counts"] = counts
        self._set(batch, status)

    def _answer(self, url: str, body: Json, plan: BatchPlan) -> Json:
        refusal: Refusal | None = None
        whole: Json = {}
        if self._dice.random() < plan.failed:
            refusal = Refusal(500, None, "The server had an error", kind="server_error")
        else:
            try:
                if url.startswith("/v1/images/"):
                    whole = self.openai.in_a_batch(body)
                else:
                    check_chat(body)
                    whole = self.openai.complete(body, share=0.5)
            except Refusal as raised:
                refusal = raised
        request_id = f"req_{self.world.number()}"
        if refusal is not None:
            whole = {"error": refusal.body}
            return {"status_code": refusal.status, "request_id": request_id, "body": whole}
        return {"status_code": 200, "request_id": request_id, "body": whole}

    def _line(self, line: Json, response: Json | None, error: Json | None) -> str:
        return json.dumps(
            {
                "id": f"batch_req_{self.world.number()}",
                "custom_id": line["custom_id"],
                "response": response,
                "error": error,
            }
        )

    def _set(self, batch: Json, status: str) -> None:
        batch["status"] = status
        batch[f"{status}_at"] = int(time.time())

    def _store(self, name: str, purpose: str, content: bytes) -> _File:
        stored = _File(f"file-{self.world.number()}", name, purpose, content, int(time.time()))
        self.files[stored.id] = stored
        return stored

    def _file(self, stored: _File) -> Json:
        return {
            "id": stored.id,
            "object": "file",
            "bytes": len(stored.content),
            "created_at": stored.created_at,
            "filename": stored.name,
            "purpose": stored.purpose,
            "status": "processed",
        }

    def _no(self, what: str) -> web.Response:
        return Refusal(404, None, f"No such {what}.", "id").response(self.world)


def _problem(code: str, message: str, line: int | None) -> Json:
    return {"code": code, "message": message, "param": None, "line": line}
