"""Google's Gemini image models.

Belongs here: ``generateContent`` and the retired ``predict``. Does not belong here: anything of
Vertex.
"""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from animatize_assets_tests.loopback import billing, pictures
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.openai_routes import wrong
from animatize_assets_tests.loopback.world import Protocol, Turn, World, route

Json = dict[str, Any]
RETIRED = {"gemini-2.5-flash-image", "gemini-3.1-flash-image"}
SIDES = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
IMAGE_TOKENS = {"512": 560, "1K": 1120, "2K": 1680, "4K": 2520}
RATIOS = {
    "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8",
    "8:1",
}  # fmt: skip
BLOCKED = {"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"}
"""Reasons that block a prompt; any other code is a candidate's finish reason."""

REFUSED_TOKENS = (1119, 240)
"""What a refused call still counts: prompt and thoughts."""


class Gemini:
    """The state of this protocol: whether errors come in a list."""

    def __init__(self, world: World) -> None:
        self.world = world

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post(
            r"/{version:v1|v1beta}/models/{model}:{verb}",
            route(self.world, PROTOCOL, "gemini.generate", self.generate, billable=True),
        )
        app.router.add_get(
            r"/{version:v1|v1beta}/models",
            route(self.world, PROTOCOL, "gemini.models", self.models),
        )

    async def models(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002 - one shape for all
        """List the models."""
        names = [{"name": f"models/{model}"} for model in billing.GEMINI_PRICES]
        return web.json_response({"models": names})

    async def generate(self, request: web.Request, turn: Turn) -> web.Response:
        """Make a picture, or refuse in one of the three ways that come as 200."""
        world, model = self.world, request.match_info["model"]
        gone = model in RETIRED or model not in billing.GEMINI_PRICES
        if gone or request.match_info["verb"] != "generateContent":
            return status(404, "NOT_FOUND", f"models/{model} is not found.")
        body = await request.json()
        try:
            text = " ".join(part.get("text", "") for part in body["contents"][0]["parts"]).strip()
            wanted = body.get("generationConfig", {}).get("imageConfig", {})
            size, ratio = wanted.get("imageSize", "1K"), wanted.get("aspectRatio", "1:1")
            pixels = SIDES[size]
        except (KeyError, IndexError, AttributeError):
            text, size, ratio, pixels = "", "", "", 0
        if ratio not in RATIOS or not text:
            return status(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
        await world.work("gemini", "gemini")
        if (refused := self._refused(turn, model, text)) is not None:
            return web.json_response(refused)
        width, height = sides(ratio, pixels)
        form = "png" if turn.shows("mislabelled") else "jpeg"
        content = wrong(turn, width, height) or pictures.picture(
            width, height, f"{model} {text}", form
        )
        tokens = max(1, len(text) // 4)
        name = self._charge(model, text, tokens, 0, IMAGE_TOKENS[size])
        image = {"mimeType": "image/jpeg", "data": base64.b64encode(content).decode()}
        candidates = [
            {
                "content": {"role": "model", "parts": [{"inlineData": image}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ]
        if turn.shows("two_candidates"):
            first = {"content": {"role": "model"}, "finishReason": "IMAGE_SAFETY", "index": 0}
            candidates = [first, {**candidates[0], "index": 1}]
        if turn.shows("empty"):
            return web.json_response({})
        return web.json_response(
            {
                "candidates": candidates,
                "usageMetadata": _usage(tokens, 0, IMAGE_TOKENS[size]),
                "modelVersion": model,
                "responseId": name,
            }
        )

    def _refused(self, turn: Turn, model: str, text: str) -> Json | None:
        if turn.shows("text_only"):
            tokens = max(1, len(text) // 4)
            self._charge(model, text, tokens, 12, 0)
            said = {"role": "model", "parts": [{"text": "I would rather describe it."}]}
            return {
                "candidates": [{"content": said, "finishReason": "STOP", "index": 0}],
                "usageMetadata": _usage(tokens, 12, 0),
                "modelVersion": model,
            }
        if not turn.shows("refused"):
            return None
        code = turn.code or "IMAGE_PROHIBITED_CONTENT"
        if code in BLOCKED:
            tokens = max(1, len(text) // 4)
            usage = {"promptTokenCount": tokens, "totalTokenCount": tokens}
            self._charge(model, text, tokens, 0, 0)
            return {"promptFeedback": {"blockReason": code}, "usageMetadata": usage}
        asked, thought = REFUSED_TOKENS
        self._charge(model, text, asked, thought, 0)
        candidate = {"content": {"role": "model"}, "finishReason": code, "index": 0}
        usage = {
            "promptTokenCount": asked,
            "thoughtsTokenCount": thought,
            "totalTokenCount": asked + thought,
        }
        return {
            "candidates": [{**candidate, "finishMessage": "Not made."}],
            "usageMetadata": usage,
        }

    def _charge(self, model: str, text: str, asked: int, words: int, image: int) -> str:
        prices = billing.GEMINI_PRICES[model]
        cost = billing.tokens_cost((asked, prices[0]), (words, prices[1]), (image, prices[2]))
        name = f"resp-{self.world.number()}"
        self.world.bill.charge("imagen", model, cost, remote_id=name, about=text)
        return name


def sides(ratio: str, pixels: int) -> tuple[int, int]:
    """Return width and height of about ``pixels`` squared, in blocks of 16."""
    across, down = (int(side) for side in ratio.split(":"))
    width = round(pixels * (across / down) ** 0.5 / 16) * 16
    return width, round(width * down / across / 16) * 16


def _usage(asked: int, words: int, image: int) -> Json:
    details = [{"modality": "IMAGE", "tokenCount": image}] if image else []
    return {
        "promptTokenCount": asked,
        "candidatesTokenCount": words + image,
        "totalTokenCount": asked + words + image,
        "candidatesTokensDetails": details,
    }


def status(
    code: int, name: str, message: str, details: list[Json] | None = None, *, listed: bool = False
) -> web.Response:
    """Return an error of Google's."""
    body = {"error": {"code": code, "message": message, "status": name, "details": details or []}}
    return web.json_response([body] if listed else body, status=code)


def _error(world: World, fault: Fault) -> web.Response:
    listed = fault.code == "listed"
    if fault.kind in {"rate_limited", "quota"}:
        wait = f"{world.retry_after_s:g}s"
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}
        quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
        details = [retry] if fault.kind == "rate_limited" else [quota]
        return status(429, "RESOURCE_EXHAUSTED", "Quota exceeded", details, listed=listed)
    names = {500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
    code = fault.status or (500, 503)[int(world.faults.throw("errors") * 2)]
    return status(code, names.get(code, "UNKNOWN"), "Try again.", listed=listed)


def _unauthorised(request: web.Request, world: World) -> web.Response | None:
    if request.headers.getall("x-goog-api-key", []) == [world.keys["gemini"]]:
        return None
    details = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    return status(
        400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [details]
    )


PROTOCOL = Protocol("gemini", _error, _unauthorised)
