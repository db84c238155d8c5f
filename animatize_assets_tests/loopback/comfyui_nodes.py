"""The nodes that the server's ComfyUI knows, and how a graph of them is checked.

Belongs here: validation and what size comes out. Does not belong here: queue, history and routes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NODES: dict[str, dict[str, tuple[str, Json]]] = {
    "LoadImage": {"image": ("FILE", {})},
    "ImageScale": {
        "image": ("LINK", {}),
        "upscale_method": (
            "LIST",
            {"values": ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]},
        ),
        "width": ("INT", {"min": 0, "max": 16384}),
        "height": ("INT", {"min": 0, "max": 16384}),
        "crop": ("LIST", {"values": ["disabled", "center"]}),
    },
    "EmptyImage": {
        "width": ("INT", {"min": 1, "max": 16384}),
        "height": ("INT", {"min": 1, "max": 16384}),
        "batch_size": ("INT", {"min": 1, "max": 4096}),
        "color": ("INT", {"min": 0, "max": 0xFFFFFF}),
    },
    "CheckpointLoaderSimple": {
        "ckpt_name": ("LIST", {"values": ["loopback.safetensors"]}),
    },
    "CLIPTextEncode": {"text": ("STRING", {}), "clip": ("LINK", {})},
    "EmptyLatentImage": {
        "width": ("INT", {"min": 16, "max": 16384}),
        "height": ("INT", {"min": 16, "max": 16384}),
        "batch_size": ("INT", {"min": 1, "max": 4096}),
    },
    "KSampler": {
        "model": ("LINK", {}),
        "seed": ("INT", {"min": 0, "max": 2**64 - 1}),
        "steps": ("INT", {"min": 1, "max": 10000}),
        "cfg": ("FLOAT", {"min": 0.0, "max": 100.0}),
        "sampler_name": ("LIST", {"values": ["euler", "dpmpp_2m"]}),
        "scheduler": ("LIST", {"values": ["normal", "karras"]}),
        "positive": ("LINK", {}),
        "negative": ("LINK", {}),
        "latent_image": ("LINK", {}),
        "denoise": ("FLOAT", {"min": 0.0, "max": 1.0}),
    },
    "VAEEncode": {"pixels": ("LINK", {}), "vae": ("LINK", {})},
    "VAEDecode": {"samples": ("LINK", {}), "vae": ("LINK", {})},
    "SaveImage": {"images": ("LINK", {}), "filename_prefix": ("STRING", {})},
    "PreviewImage": {"images": ("LINK", {})},
}
OUTPUTS = {"SaveImage": "output", "PreviewImage": "temp"}


@dataclass(frozen=True)
class Checked:
    """What validation found."""

    outputs: tuple[str, ...]
    """Output nodes that will run."""
    error: Json | None
    """Why nothing will run."""
    node_errors: Json


def check(graph: Json, uploads: set[str]) -> Checked:
    """Validate a graph as the server does before it queues it."""
    for name, node in graph.items():
        kind = node.get("class_type") if isinstance(node, dict) else None
        if kind not in NODES:
            message = (
                "Cannot execute because a node is missing the class_type property."
                if kind is None
                else f"Cannot execute because node {kind} does not exist."
            )
            error = _error("missing_node_type", message, f"Node ID '#{name}'")
            return Checked((), error, {})
    outputs = [name for name, node in graph.items() if node["class_type"] in OUTPUTS]
    if not outputs:
        return Checked((), _error("prompt_no_outputs", "Prompt has no outputs", ""), {})
    good: list[str] = []
    node_errors: Json = {}
    for output in outputs:
        wrong = {
            name: problems
            for name in upstream(graph, output)
            if (problems := _problems(graph, name, uploads))
        }
        if not wrong:
            good.append(output)
        for name, problems in wrong.items():
            entry = node_errors.setdefault(
                name,
                {
                    "errors": problems,
                    "dependent_outputs": [],
                    "class_type": graph[name]["class_type"],
                },
            )
            entry["dependent_outputs"].append(output)
    if good:
        return Checked(tuple(good), None, node_errors)
    error = _error("prompt_outputs_failed_validation", "Prompt outputs failed validation", "")
    return Checked((), error, node_errors)


def upstream(graph: Json, output: str) -> list[str]:
    """Return the nodes that ``output`` needs, in an order in which they can run."""
    found: list[str] = []

    def visit(name: str) -> None:
        for link in _links(graph[name]):
            if link in graph and link not in found:
                visit(link)
        if name not in found:
            found.append(name)

    visit(output)
    return found


def size_of(graph: Json, output: str) -> tuple[int, int]:
    """Return the size of the picture that arrives at ``output``; of an upload, 512x512 px."""
    for name in reversed(upstream(graph, output)):
        values = graph[name]["inputs"]
        if isinstance(values.get("width"), int) and isinstance(values.get("height"), int):
            return values["width"], values["height"]
    return 512, 512


def _links(node: Json) -> Iterator[str]:
    for value in node.get("inputs", {}).values():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            yield value[0]


def _problems(graph: Json, name: str, uploads: set[str]) -> list[Json]:
    node = graph[name]
    values = node.get("inputs", {})
    problems = []
    for key, (kind, limits) in NODES[node["class_type"]].items():
        if key not in values:
            problems.append(
                _problem("required_input_missing", "Required input is missing", key, key)
            )
            continue
        if (
            problem := _value_problem(
                key, (kind, limits), values[key], graph=graph, uploads=uploads
            )
        ) is not None:
            problems.append(problem)
    return problems


def _value_problem(  # noqa: C901, PLR0911 - one line per kind of value
    key: str, wanted: tuple[str, Json], value: object, *, graph: Json, uploads: set[str]
) -> Json | None:
    kind, limits = wanted
    if isinstance(value, list):
        if value and value[0] in graph:
            return None
        return _problem("exception_during_validation", "Exception when validating node", "'?'")
    if kind == "LINK":
        return _problem("bad_linked_input", "Bad linked input, must be a length-2 list", key, key)
    if kind == "FILE":
        if value in uploads:
            return None
        details = f"image - Invalid image file: {value}"
        return _problem(
            "custom_validation_failed", "Custom validation failed for node", details, key
        )
    if kind == "LIST":
        if value in limits["values"]:
            return None
        details = f"{key}: '{value}' not in {limits['values']}"
        return _problem("value_not_in_list", "Value not in list", details, key, value)
    if kind in {"INT", "FLOAT"}:
        try:
            number = int(value) if kind == "INT" else float(value)  # type: ignore[call-overload,arg-type]  # as the server converts
        except (TypeError, ValueError):
            message = f"Failed to convert an input value to a {kind} value"
            return _problem("invalid_input_type", message, key, key, value)
        if number < limits["min"]:
            message = f"Value {number} smaller than min of {limits['min']}"
            return _problem("value_smaller_than_min", message, key, key, value)
        if number > limits["max"]:
            message = f"Value {number} bigger than max of {limits['max']}"
            return _problem("value_bigger_than_max", message, key, key, value)
    return None


def _problem(
    kind: str, message: str, details: str, name: str | None = None, value: object = None
) -> Json:
    more = {"input_name": name, "received_value": value} if name else {}
    return {"type": kind, "message": message, "details": details, "extra_info": more}


def _error(kind: str, message: str, details: str) -> Json:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}
