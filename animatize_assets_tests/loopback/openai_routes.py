"""OpenAI's models, chat completions and images.

Belongs here: these routes. Does not belong here: files and batches (``openai_batches``).
"""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from animatize_assets_tests.loopback import billing, pictures
from animatize_assets_tests.loopback.openai_errors import (
    PROTOCOL,
    RETIRED,
    Refusal,
    moderated,
    unknown_model,
)
from animatize_assets_tests.loopback.world import Turn, World, route

Json = dict[str, Any]
Reply = Callable[[Json], str | Json]
"""From a chat request's body to the message's content, or to a whole ``choices[0]``."""

INPUT_IMAGE_TOKENS = 272
COMPLETION_TOKENS = 120
FIXED_TEMPERATURE = ("gpt-5-", "gpt-5.5", "gpt-5.6", "gpt-6", "o3")
"""Models that take no temperature unless their effort is ``none`` (the bare gpt-5: never)."""

IMAGE_PARAMETERS = {
    "prompt", "model", "n", "size", "quality", "background", "output_format", "moderation",
    "output_compression", "partial_images", "stream", "safety_identifier", "user", "complexity",
}  # fmt: skip


class OpenAI:
    """The state of this protocol: what the chat says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.replies: deque[str | Json] = deque()
        """What the next chats answer, in order; then ``reply``."""
        self.reply: Reply = sensible_reply

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        world, add = self.world, app.router.add_route
        add("GET", "/v1/models", route(world, PROTOCOL, "openai.models", self.models))
        add("GET", "/v1/models/{model}", route(world, PROTOCOL, "openai.models", self.models))
        for path, name, work in (
            ("/v1/chat/completions", "openai.chat", self.chat),
            ("/v1/images/generations", "openai.images", self.generate),
            ("/v1/images/edits", "openai.edits", self.edit),
        ):
            add("POST", path, route(world, PROTOCOL, name, work, billable=True))

    async def models(self, request: web.Request, turn: Turn) -> web.Response:  # noqa: ARG002 - the same for all
        """Answer the list, or one model."""
        known = sorted({*billing.TEXT_PRICES, *billing.IMAGE_TOKEN_PRICES})
        items = [
            {
                "id": model,
                "object": "model",
                "created": 1,
                "owned_by": "openai",
                "shutdown_date": None,
            }
            for model in known
        ]
        asked = request.match_info.get("model")
        if asked is None:
            return web.json_response({"object": "list", "data": items})
        if asked not in known:
            return unknown_model(asked).response(self.world)
        return web.json_response(items[known.index(asked)])

    async def chat(self, request: web.Request, turn: Turn) -> web.Response:
        """Answer one completion."""
        body = await request.json()
        try:
            check_chat(body)
        except Refusal as refusal:
            return refusal.response(self.world)
        await self.world.work("openai", "openai.chat")
        return self._json(self.complete(body, share=1.0, turn=turn))

    def complete(self, body: Json, *, share: float, turn: Turn | None = None) -> Json:
        """Make a completion and bill ``share`` of its price."""
        world, model = self.world, body["model"]
        if turn is not None and turn.shows("refused"):
            choice = _choice({"content": None, "refusal": "I cannot help with that."})
        else:
            said = self.replies.popleft() if self.replies else self.reply(body)
            choice = said if isinstance(said, dict) else _choice({"content": said})
        asked = sum(len(json.dumps(message)) for message in body["messages"]) // 4 + 1
        answered = max(1, len(json.dumps(choice["message"])) // 4)
        name = f"chatcmpl-{world.number()}"
        fresh, _, out = billing.TEXT_PRICES[model]
        cost = billing.tokens_cost((asked, fresh * share), (answered, out * share))
        world.bill.charge(
            "openai", model, cost, remote_id=name, about=json.dumps(body["messages"])[-500:]
        )
        return {
            "id": name,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [choice],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": answered,
                "total_tokens": asked + answered,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            "system_fingerprint": "fp_loopback",
            "service_tier": "default",
        }

    async def generate(self, request: web.Request, turn: Turn) -> web.Response:
        """Make pictures from words."""
        body = await request.json()
        return await self._pictures(body, turn, input_images=0)

    async def edit(self, request: web.Request, turn: Turn) -> web.Response:
        """Make pictures from words and pictures."""
        form = await request.post()
        body: Json = {}
        images = 0
        for name, value in form.items():
            if isinstance(value, web.FileField):
                images += name in {"image", "image[]"}
            else:
                body[name] = int(value) if name == "n" else value
        if images == 0:
            return Refusal(
                400, "missing_required_parameter", "Missing required parameter: 'image'.", "image"
            ).response(self.world)
        return await self._pictures(body, turn, input_images=images)

    async def _pictures(self, body: Json, turn: Turn, *, input_images: int) -> web.Response:
        world = self.world
        try:
            width, height = check_picture(body)
        except Refusal as refusal:
            return refusal.response(world)
        await world.work("openai", "openai.images")
        if turn.shows("refused"):
            return moderated(turn.code).response(world)
        pictures_of = [
            _content(turn, (width, height), f"{body['model']} {body['prompt']} {each}", _form(body))
            for each in range(body.get("n", 1))
        ]
        answer, name = self.pictured(body, (width, height), pictures_of, input_images=input_images)
        if turn.shows("empty"):
            answer["data"] = []
        return self._json(answer, name)

    def in_a_batch(self, body: Json) -> Json:
        """Make the pictures of a batch's line, at half the price.

        Raises:
            Refusal: the request is not what the API takes.
        """
        sources = body.get("images", [])
        if any(not str(each.get("image_url")).startswith("data:image/") for each in sources):
            raise Refusal(400, "invalid_value", "Invalid 'images'.", "images")
        told = {name: value for name, value in body.items() if name != "images"}
        size = check_picture(told)
        made = pictures.picture(*size, f"{body['model']} {body['prompt']} 0", _form(body))
        return self.pictured(told, size, [made], input_images=len(sources), share=0.5)[0]

    def pictured(
        self,
        body: Json,
        size: tuple[int, int],
        contents: list[bytes],
        *,
        input_images: int,
        share: float = 1.0,
    ) -> tuple[Json, str]:
        """Return an answer with pictures, billed at ``share`` of its price, and its id."""
        world = self.world
        width, height = size
        model, quality = body["model"], body.get("quality", "auto")
        quality = "low" if quality == "auto" else quality
        text = max(1, len(body["prompt"]) // 4)
        image_in = INPUT_IMAGE_TOKENS * input_images
        out = len(contents) * round(billing.IMAGE_OUTPUT_TOKENS[quality] * width * height / 1024**2)
        prices = billing.IMAGE_TOKEN_PRICES[model]
        name = f"req_{world.number()}"
        world.bill.charge(
            "openai",
            model,
            billing.tokens_cost(
                (text, prices[0] * share), (image_in, prices[1] * share), (out, prices[2] * share)
            ),
            remote_id=name,
            about=body["prompt"],
        )
        answer = {
            "created": int(time.time()),
            "background": "opaque",
            "output_format": _form(body),
            "quality": quality,
            "size": f"{width}x{height}",
            "data": [{"b64_json": base64.b64encode(each).decode()} for each in contents],
            "usage": {
                "input_tokens": text + image_in,
                "input_tokens_details": {"text_tokens": text, "image_tokens": image_in},
                "output_tokens": out,
                "output_tokens_details": {"image_tokens": out, "text_tokens": 0},
                "total_tokens": text + image_in + out,
            },
        }
        return answer, name

    def _json(self, body: Json, request_id: str | None = None) -> web.Response:
        name = request_id or f"req_{self.world.number()}"
        return web.json_response(body, headers={"x-request-id": name})


def _form(body: Json) -> str:
    return str(body.get("output_format", "png"))


def _content(turn: Turn, size: tuple[int, int], about: str, form: str) -> bytes:
    width, height = size
    if turn.shows("mislabelled"):
        return pictures.picture(width, height, about, "png" if form == "jpeg" else "jpeg")
    return wrong(turn, width, height) or pictures.picture(width, height, about, form)


def wrong(turn: Turn, width: int, height: int) -> bytes | None:
    """Return the bytes of a picture that is wrong, when the fault says so."""
    if turn.shows("not_an_image"):
        return pictures.not_a_picture()
    if turn.shows("blank"):
        return pictures.blank(width, height)
    if turn.shows("huge"):
        return pictures.huge(width, height)
    if turn.shows("bomb"):
        return pictures.bomb()
    if turn.shows("wrong_size"):
        return pictures.picture(width // 2, height // 2, "wrong size")
    return None


def check_picture(body: Json) -> tuple[int, int]:
    """Return the size that a picture request asks for.

    Raises:
        Refusal: the request is not what the API takes.
    """
    if unknown := sorted(set(body) - IMAGE_PARAMETERS - {"input_fidelity"}):
        raise Refusal(400, "unknown_parameter", f"Unknown parameter: '{unknown[0]}'.", unknown[0])
    model = str(body.get("model"))
    if model in RETIRED or model not in billing.IMAGE_TOKEN_PRICES:
        raise unknown_model(model)
    if not body.get("prompt") or len(body["prompt"]) > 32_000:
        raise Refusal(400, "invalid_value", "Invalid 'prompt'.", "prompt")
    if body.get("quality", "auto") not in {"auto", *billing.IMAGE_OUTPUT_TOKENS}:
        raise Refusal(400, "invalid_value", "Invalid value for 'quality'.", "quality")
    return _size(model, body.get("size", "auto"))


def _size(model: str, size: str) -> tuple[int, int]:
    if size == "auto":
        return 1024, 1024
    try:
        width, height = (int(side) for side in size.split("x"))
    except ValueError:
        raise Refusal(400, "invalid_value", "Invalid value for 'size'.", "size") from None
    standard = (width, height) in {(1024, 1024), (1536, 1024), (1024, 1536)}
    free = (
        not model.startswith("gpt-image-1")
        and width % 16 == 0
        and height % 16 == 0
        and 1 / 3 <= width / height <= 3
        and width * height <= 3840 * 2160
        and max(width, height) <= 3840
    )
    if not (standard or free):
        raise Refusal(400, "invalid_value", f"Invalid value for 'size': {size}.", "size")
    return width, height


def check_chat(body: Json) -> None:
    """Return when a chat request is one that the API takes.

    Raises:
        Refusal: it is not.
    """
    model = str(body.get("model"))
    if model in RETIRED or model not in billing.TEXT_PRICES:
        raise unknown_model(model)
    if not body.get("messages"):
        raise Refusal(400, "missing_required_parameter", "Missing 'messages'.", "messages")
    newer = not model.startswith("gpt-4")
    if newer and "max_tokens" in body:
        raise Refusal(
            400,
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model.",
            "max_tokens",
        )
    temperature = body.get("temperature", 1)
    fixed = model == "gpt-5" or (
        model.startswith(FIXED_TEMPERATURE) and body.get("reasoning_effort") != "none"
    )
    if fixed and temperature != 1:
        raise Refusal(
            400,
            "unsupported_value",
            f"Unsupported value: 'temperature' does not support {temperature} with this model. "
            "Only the default (1) value is supported.",
            "temperature",
        )


def _choice(message: Json) -> Json:
    whole = {"role": "assistant", "content": None, "refusal": None, **message}
    return {"index": 0, "message": whole, "finish_reason": "stop", "logprobs": None}


def sensible_reply(body: Json) -> str:
    """Return what a model that only repeats would say: the last message, in the asked schema."""
    last = str(body["messages"][-1].get("content"))[-400:]
    form = body.get("response_format") or {}
    if form.get("type") != "json_schema":
        return last
    schema = form["json_schema"]["schema"]
    return json.dumps(_instance(schema, last, schema.get("$defs", {})))


def _instance(schema: Json, text: str, definitions: Json) -> object:
    if "$ref" in schema:
        return _instance(definitions[schema["$ref"].rsplit("/", 1)[-1]], text, definitions)
    if "anyOf" in schema:
        return _instance(schema["anyOf"][0], text, definitions)
    if "enum" in schema or "const" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _instance(part, text, definitions) for name, part in properties.items()}
    plain: Json = {"integer": 1, "number": 1.0, "boolean": True, "null": None, "array": []}
    return plain.get(str(kind), text)
