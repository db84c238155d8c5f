"""What `deploy/observability` holds, read: rules, their tests, dashboards, and their queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
OBSERVABILITY = REPOSITORY / "deploy" / "observability"
CONFIG = OBSERVABILITY / "prometheus.yml"
RULE_FILES = sorted((OBSERVABILITY / "rules").glob("*.yml"))
RULE_TESTS = sorted((OBSERVABILITY / "rules_tests").glob("*.yml"))
PROVISIONING = OBSERVABILITY / "grafana" / "provisioning"
DASHBOARD_FILES = sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json"))


def parsed(file: Path) -> Any:
    """Return a YAML or JSON file's document."""
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Every rule, in the order of files."""
    return tuple(
        rule for file in RULE_FILES for group in parsed(file)["groups"] for rule in group["rules"]
    )


def alerts() -> tuple[dict[str, Any], ...]:
    """The rules that are alerts."""
    return tuple(rule for rule in rules() if "alert" in rule)


def panels() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every panel of every dashboard, with its file."""
    for file in DASHBOARD_FILES:
        for panel in parsed(file)["panels"]:
            yield file, panel


def dashboard_queries() -> dict[str, str]:
    """Every query of a dashboard, by where it stands."""
    return {
        f"{file.stem}: {panel['title']} ({target['refId']})": target["expr"]
        for file, panel in panels()
        for target in panel["targets"]
    }


def rule_queries() -> dict[str, str]:
    """Every rule's query, by its name."""
    return {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}


def metrics_in(query: str) -> set[str]:
    """Return the names of metrics in a query; functions, labels and their values are none."""
    bare = re.sub(
        r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)|\"[^\"]*\"", " ", query
    )
    names = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])", bare)
    return set(names) - {"and", "or", "unless", "by", "without", "on", "ignoring"}
