"""Reading the data files of this room: parsed, checked as a whole, and named by their content.

Belongs here: what both files need alike. Does not belong here: what either file means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from animatize_assets.errors import InvalidRule

ModelT = TypeVar("ModelT", bound=BaseModel)

DIGEST_LENGTH = 12

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's safe loader where PyYAML was built with it: ten times as fast."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Parse a YAML file that holds one mapping.

    Raises:
        InvalidRule: the file is missing, is not YAML or holds something else.

    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRule(f"'{path}' cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise InvalidRule(f"'{path}' must hold one mapping of names to values.")
    return content


def validated(path: Path, model: type[ModelT], content: Mapping[str, Any]) -> ModelT:
    """``content`` as ``model``.

    Raises:
        InvalidRule: naming every missing, unknown or unusable field at once.

    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(step) for step in problem['loc']) or 'file'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise invalid(path, problems) from error


def invalid(path: Path, problems: list[str]) -> InvalidRule:
    """Build the one error that lists every problem of a file."""
    return InvalidRule(f"'{path.name}' cannot be used: {'; '.join(problems)}.")


def content_version(content: Mapping[str, Any]) -> str:
    """Stated version + hash of the content; comments and layout do not change it."""
    canonical = json.dumps(content, sort_keys=True, default=str, ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{content.get('version')}+{digest}"
