"""Reading a file of movement rules.

Belongs here: every check of a rule that can be made without a picture. Does not belong here: the
shape of a rule (``rule_schema``), the rules themselves (``rules.yaml``) or judging a picture by
them (``judging``).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from animatize_assets.errors import InvalidRule
from animatize_assets.movement.conditions import Condition
from animatize_assets.movement.justification import FORMS, placeholders
from animatize_assets.movement.measurements import MEASUREMENTS
from animatize_assets.movement.models import CameraMove
from animatize_assets.movement.rule_schema import DerivedDirection, Rule, RuleBook, RuleFile

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's safe loader where PyYAML was built with it: 15 ms instead of 190 for our rules."""
_UNMIRRORABLE = frozenset({"left", "right", "clockwise", "counterclockwise"})
_DIRECTIONS_OF: dict[str, frozenset[str]] = {
    "pan": frozenset({"x"}),
    "truck": frozenset({"x"}),
    "orbit": frozenset({"x"}),
    "tilt": frozenset({"y"}),
    "pedestal": frozenset({"y"}),
    "roll": frozenset({"x", "turn"}),
}
_FIXED_OF: dict[str, frozenset[str | None]] = {
    "static": frozenset({None}),
    "zoom_in": frozenset({"in"}),
    "push_in": frozenset({"in"}),
    "zoom_out": frozenset({"out"}),
    "pull_out": frozenset({"out"}),
    "tilt": frozenset({"up", "down"}),
    "pedestal": frozenset({"up", "down"}),
}


def load_rules(path: Path | None = None) -> RuleBook:
    """Read and check a rule file; the packaged one without ``path``.

    Raises:
        InvalidRule: the file cannot be used as written; the message lists every problem, each
            with the rule's id and what to write instead.
    """
    name = "rules.yaml" if path is None else str(path)
    try:
        text = _packaged_rules() if path is None else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRule(f"The rule file {name} cannot be read as YAML: {error}.") from error
    return _checked(name, text)


@lru_cache(maxsize=2)
def _checked(name: str, text: str) -> RuleBook:
    """Return the rules of a file, whose content is checked once."""
    try:
        content = yaml.load(text, _LOADER)  # noqa: S506 - one of the two safe loaders
    except yaml.YAMLError as error:
        raise InvalidRule(f"The rule file {name} cannot be read as YAML: {error}.") from error
    try:
        file = RuleFile.model_validate(content)
    except ValidationError as error:
        raise InvalidRule(_listed(name, _shape_problems(content, error))) from error
    problems = _content_problems(file)
    if problems:
        raise InvalidRule(_listed(name, problems))
    version = _with_digest(file.version, text)
    return RuleBook(version, file.rules, file.contradictions, file.works)


def packaged_rules_version() -> str:
    """Return ``load_rules().version`` without reading the rules: for whoever only compares it.

    Raises:
        InvalidRule: the packaged file states no version.
    """
    text = _packaged_rules()
    stated = re.search(r"^version: *([\"']?)(.+?)\1 *$", text, re.MULTILINE)
    if stated is None:
        raise InvalidRule('rules.yaml states no version; write a line like: version: "1".')
    return _with_digest(stated[2], text)


def _packaged_rules() -> str:
    return resources.files("animatize_assets.movement").joinpath("rules.yaml").read_text("utf-8")


def _with_digest(stated: str, text: str) -> str:
    return f"{stated}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _listed(name: str, problems: list[str]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"The rule file {name} has {count}:\n" + "\n".join(f"- {p}" for p in problems)


def _shape_problems(content: Any, error: ValidationError) -> list[str]:
    """Name the rule where pydantic names a position."""
    problems = []
    for detail in error.errors(include_url=False):
        where = list(detail["loc"])
        if len(where) >= 2 and where[0] == "rules" and isinstance(where[1], int):
            entry = content["rules"][where[1]]
            known = entry.get("id") if isinstance(entry, dict) else None
            where[:2] = [f"rule '{known or f'number {where[1] + 1}'}'"]
        place = " > ".join(str(part) for part in where) or "the file"
        problems.append(f"{place}: {detail['msg']}")
    return problems


def _content_problems(file: RuleFile) -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    for rule in file.rules:
        found = [
            *_condition_problems(rule),
            *_direction_problems(rule),
            *_justification_problems(rule),
        ]
        if rule.id in seen:
            found.append("another rule has this id; give it one of its own")
        if rule.id in ("no_evidence", "tied_evidence"):
            found.append("this id is reserved for the static answer; choose another")
        if rule.source.work not in file.works:
            found.append(f"cites '{rule.source.work}', which is not in 'works'; add it there")
        seen.add(rule.id)
        problems += [f"rule '{rule.id}': {problem}" for problem in found]
    types = {rule.move.type for rule in file.rules if rule.category != "camera"}
    for contradiction in file.contradictions:
        problems += [
            f"contradictions: no rule proposes '{unknown}'; remove it or add the rule"
            for unknown in contradiction.movements
            if unknown not in types
        ]
    return problems


def _condition_problems(rule: Rule) -> list[str]:
    problems = []
    for condition in rule.conditions:
        name = condition.measurement
        measurement = MEASUREMENTS.get(name)
        if measurement is None:
            problems.append(
                f"there is no measurement '{name}'{_nearest(name)}; see movement/measurements.py"
            )
        elif measurement.is_mirrored:
            problems.append(
                f"'{name}' changes when the picture is mirrored; put the condition on a distance "
                "such as subject.offset_x and use it for the direction only"
            )
        else:
            problems += _comparison_problems(condition, measurement.kind)
    return problems


def _nearest(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for an error message

    close = get_close_matches(name, MEASUREMENTS, 1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _comparison_problems(condition: Condition, kind: str) -> list[str]:
    name, comparison = condition.measurement, condition.comparison
    threshold, full = condition.threshold, condition.full
    if comparison in ("is_present", "is_absent"):
        return [] if threshold is None else [f"{comparison} on '{name}' takes no threshold"]
    if comparison in ("==", "!=", "in"):
        wanted = tuple if comparison == "in" else str
        if kind != "word":
            return [f"'{name}' is a number; compare it with >=, <=, > or <"]
        given = isinstance(threshold, wanted)
        return [] if given else [f"'{comparison}' on '{name}' needs a {wanted.__name__} of words"]
    if kind != "number":
        return [f"'{name}' is a word; compare it with ==, != or in"]
    return _number_problems(name, comparison, threshold, full)


def _number_problems(
    name: str, comparison: str, threshold: object, full: float | None
) -> list[str]:
    if not isinstance(threshold, float) or full is None:
        return [f"'{comparison}' on '{name}' needs the numbers threshold and full"]
    if full == threshold or (full > threshold) != (comparison in (">=", ">")):
        side = "above" if comparison in (">=", ">") else "below"
        return [f"full ({full:g}) of '{name}' must lie {side} the threshold ({threshold:g})"]
    return []


def _direction_problems(rule: Rule) -> list[str]:
    direction, move = rule.move.direction, rule.move.type
    is_camera = rule.category == "camera"
    if is_camera and move not in get_args(CameraMove):
        return [f"'{move}' is no camera move; choose one of {', '.join(get_args(CameraMove))}"]
    if isinstance(direction, DerivedDirection):
        return _derived_problems(direction, move, is_camera=is_camera)
    if direction in _UNMIRRORABLE:
        remedy = "{towards: subject.center_x, band: 0.05, full: 0.15}"
        return [
            f"a fixed '{direction}' would be wrong in the mirrored picture; derive it: {remedy}"
        ]
    if is_camera and direction not in _FIXED_OF.get(move, frozenset()):
        allowed = sorted(str(option) for option in _FIXED_OF.get(move, frozenset()))
        options = f"one of {', '.join(allowed)}" if allowed else "a derived direction"
        return [f"a camera '{move}' cannot go '{direction}'; it needs {options}"]
    return []


def _derived_problems(direction: DerivedDirection, move: str, *, is_camera: bool) -> list[str]:
    if (direction.towards is None) == (direction.away_from is None):
        return ["a derived direction names either 'towards' or 'away_from', exactly one"]
    name = direction.measurement
    measurement = MEASUREMENTS.get(name)
    if measurement is None:
        return [f"there is no measurement '{name}'{_nearest(name)}; see movement/measurements.py"]
    if measurement.axis is None:
        return [f"'{name}' points nowhere; derive the direction from one that has an axis"]
    problems = []
    if direction.full <= direction.band:
        problems.append(f"full ({direction.full:g}) must lie above band ({direction.band:g})")
    if is_camera and measurement.axis not in _DIRECTIONS_OF.get(move, frozenset()):
        problems.append(f"'{name}' points along {measurement.axis}, where a '{move}' cannot go")
    return problems


def _justification_problems(rule: Rule) -> list[str]:
    known = {condition.measurement for condition in rule.conditions}
    problems = []
    named = placeholders(rule.justification)
    for name, form in named:
        if name == "heading":
            continue
        if name not in known:
            problems.append(
                f"the justification fills in '{name}', on which the rule has no condition; "
                f"use one of {', '.join(sorted(known))}"
            )
        elif form not in FORMS:
            known_forms = ", ".join(sorted(FORMS - {""}))
            problems.append(f"the justification's form '{form}' is none of {known_forms}")
    if not any(name in known for name, _ in named):
        problems.append("the justification fills in no measured value; name one in {braces}")
    if re.search(r"\b(left|right)\b", rule.justification):
        problems.append("the justification says left or right; write {heading} instead")
    return problems
