"""A ComfyUI workflow as the user gives it, with slots that are filled in for each picture.

The file is ComfyUI's *API format* (menu Workflow, Export (API)): node ids with ``class_type`` and
``inputs``. A slot is written as the value of an input, where a person would type the value::

    {"6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "{{prompt}}"}},
     "5": {"class_type": "EmptyLatentImage",
           "inputs": {"width": "{{width}}", "height": "{{height}}", "batch_size": 1}}}

========== ============================================================================
slot       what is filled in
========== ============================================================================
prompt     the prompt's text
negative   the negative prompt's text; empty when there is none
seed       the seed, a whole number
width      width in px, a whole number
height     height in px, a whole number
image      the name of the uploaded source image, for a LoadImage node
========== ============================================================================

A slot that is the whole value keeps its type: ``"{{seed}}"`` becomes a number. Within other text it
becomes part of it: ``"{{prompt}}, film grain"``. Every slot may be used several times or not at
all, but without ``prompt`` and ``image`` each picture would be the same, which is refused.

Belongs here: reading, checking and filling in. Does not belong here: any server.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from animatize_assets.errors import InvalidRule

SLOTS: tuple[str, ...] = ("prompt", "negative", "seed", "width", "height", "image")
"""The names of slots."""

LATENT_MULTIPLE = 16
"""Sides of a latent picture: ComfyUI's EmptyLatentImage takes multiples of 8, its newer kinds
(EmptySD3LatentImage, EmptyFlux2LatentImage) of 16, and it rounds anything else down in silence."""

_SLOT = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_DIGEST_LENGTH = 12

SlotValue = str | int


@dataclass(frozen=True)
class Workflow:
    """A checked workflow. Two with the same content have the same ``digest``, whatever the file."""

    name: str
    """The file's name without its ending; part of the provider model's name."""
    nodes: Mapping[str, Any]
    """Node id to node, as in the file."""
    slots: frozenset[str]
    """Those that the file uses."""
    digest: str

    @classmethod
    def load(cls, source: Path | str | Mapping[str, Any], *, name: str = "workflow") -> Workflow:
        """Read a file, or take what such a file holds; ``name`` is for the latter.

        Raises:
            InvalidRule: it cannot be used; the message lists every problem and the remedy.

        """
        if isinstance(source, Mapping):
            nodes = source
        else:
            path = Path(source)
            name, nodes = path.stem, _read(path)
        problems = list(_problems(nodes))
        if problems:
            raise InvalidRule(f"The ComfyUI workflow '{name}' cannot be used: {' '.join(problems)}")
        canonical = json.dumps(nodes, sort_keys=True, ensure_ascii=True)
        return cls(
            name=name,
            nodes=MappingProxyType(json.loads(canonical)),
            slots=_slots_of(nodes),
            digest=hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_LENGTH],
        )

    @property
    def takes_size(self) -> bool:
        """Whether the picture's size can be asked for."""
        return {"width", "height"} <= self.slots

    @property
    def size_multiple(self) -> int:
        """What both sides must be a multiple of, px: 1 unless they are those of a latent."""
        for node in self.nodes.values():
            sized = {"width", "height"} & _slots_of({"": node})
            if sized and "Latent" in node["class_type"]:
                return LATENT_MULTIPLE
        return 1

    def filled(self, values: Mapping[str, SlotValue], *, file_mark: str) -> dict[str, Any]:
        """Return the graph with every slot filled in.

        ``file_mark`` is added to each ``filename_prefix`` that is plain text. A graph that ComfyUI
        has run before is answered with the old file's name, and the file may be gone; with another
        name only the node that saves runs again, and the work before it stays cached.

        Raises:
            KeyError: a slot of the workflow is not among ``values``.

        """
        graph = {node_id: _filled(node, values) for node_id, node in self.nodes.items()}
        for node in graph.values():
            prefix = node["inputs"].get("filename_prefix")
            if isinstance(prefix, str):
                node["inputs"]["filename_prefix"] = f"{prefix}_{file_mark}"
        return graph


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InvalidRule(
            f"The ComfyUI workflow '{path.name}' cannot be read as JSON ({error}); export it with "
            "Workflow, Export (API)."
        ) from error
    if not isinstance(content, dict):
        raise InvalidRule(f"The ComfyUI workflow '{path.name}' must hold one mapping of nodes.")
    return content


def _problems(nodes: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes ``nodes`` unusable, a sentence each."""
    if not nodes:
        yield "It has no nodes."
        return
    if isinstance(nodes.get("nodes"), list):
        yield "It is saved for the editor; export it with Workflow, Export (API)."
        return
    for node_id, node in nodes.items():
        yield from _node_problems(node_id, node, nodes)
    slots = _slots_of(nodes)
    known = ", ".join(SLOTS)
    for slot in sorted(slots - set(SLOTS)):
        yield f"There is no slot '{slot}'; the slots are {known}."
    if not slots & {"prompt", "image"}:
        yield (
            "It has neither the slot {{prompt}} nor {{image}}, so every picture would be the same; "
            "write one of them as the value of an input."
        )


def _node_problems(node_id: str, node: Any, nodes: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(node, Mapping) or not isinstance(node.get("class_type"), str):
        yield f"Node '{node_id}' states no class_type; export it with Workflow, Export (API)."
        return
    if not isinstance(node.get("inputs"), Mapping):
        yield f"Node '{node_id}' ({node['class_type']}) states no inputs."
        return
    for name, value in node["inputs"].items():
        if _is_link(value) and value[0] not in nodes:
            yield (
                f"Input '{name}' of node '{node_id}' ({node['class_type']}) is linked to node "
                f"'{value[0]}', which does not exist."
            )


def _is_link(value: Any) -> bool:
    """Tell a link, ``[node id, number of the output]``, from a plain list."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def _slots_of(nodes: Mapping[str, Any]) -> frozenset[str]:
    inputs = [node.get("inputs") for node in nodes.values() if isinstance(node, Mapping)]
    return frozenset(slot for text in _texts(inputs) for slot in _SLOT.findall(text))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text within ``value``, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _filled(value: Any, values: Mapping[str, SlotValue]) -> Any:
    if isinstance(value, str):
        whole = _SLOT.fullmatch(value)
        if whole:
            return values[whole[1]]
        # Filled in one pass: what a prompt's text holds is never taken for a slot.
        return _SLOT.sub(lambda found: str(values[found[1]]), value)
    if isinstance(value, Mapping):
        return {name: _filled(part, values) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, values) for part in value]
    return value
