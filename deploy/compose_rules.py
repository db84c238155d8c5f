"""What `deploy/postgres/compose.yaml` must be, as far as it can be told without running it.

Belongs here: reading the file as Compose does, and one function for each rule; it returns what is
wrong, as sentences. Does not belong here: programs that check other files (``check_deploy``).
The form of the file: https://github.com/compose-spec/compose-spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?:(?P<how>:[-?])(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"(PASSWORD|SECRET|API_KEY|TOKEN|WEBHOOK_URL)$")
PUBLISHED = {"proxy"}
"""Services that may be reached from outside."""
LIMITS = ("cpus", "memory", "pids")


def variables(text: str) -> set[str]:
    """Return the names of all variables that Compose puts in."""
    return {match["name"] for match in VARIABLE.finditer(text)}


def interpolated(text: str, values: Mapping[str, str]) -> Any:
    """Return the file's content with the variables put in, as Compose reads it.

    Raises:
        KeyError: a variable that must be set has no value.
    """

    def value(match: re.Match[str]) -> str:
        given = values.get(match["name"], "")
        if given:
            return given
        if match["how"] == ":-":
            return str(match["rest"])
        raise KeyError(match["name"])

    return yaml.safe_load(VARIABLE.sub(value, text))


def schema_problems(content: Any) -> Iterator[str]:
    """Compare with the schema of the Compose specification, as check-jsonschema ships it."""
    from check_jsonschema.builtin_schemas import get_builtin_schema
    from jsonschema import validators

    schema = get_builtin_schema("vendor.compose-spec")
    for error in validators.validator_for(schema)(schema).iter_errors(content):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def variable_problems(text: str, example: str, page: str) -> Iterator[str]:
    """Every variable is in the example file and on the page that explains it; none else is."""
    named = {
        line.partition("=")[0] for line in example.splitlines() if line and not line.startswith("#")
    }
    used = variables(text)
    for name in sorted(used - named):
        yield f"{name} is not in env.example"
    for name in sorted(named - used):
        yield f"{name} of env.example is not used"
    for name in sorted(used):
        if f"`{name}`" not in page:
            yield f"{name} is not explained in docs/deployment.md"


def confinement_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """No service is root, writes to its own image, or may take more than its share."""
    for name, service in content["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        image, ports = service["image"], service.get("ports")
        wrong = {
            "runs as root": str(service.get("user", "0")).split(":")[0] in ("", "0", "root"),
            "can write to its root file system": service.get("read_only") is not True,
            "keeps capabilities": "ALL" not in service.get("cap_drop", ()),
            "can gain privileges": "no-new-privileges:true" not in service.get("security_opt", ()),
            "is privileged": bool(service.get("privileged")),
            "shares the machine's network": service.get("network_mode") == "host",
            "has no health check": not service.get("healthcheck", {}).get("test"),
            "publishes a port": bool(ports) and name not in PUBLISHED,
            "does not say which version its image is": ":latest" in image
            and "build" not in service,
        }
        wrong |= {f"has no limit of {limit}": limit not in limits for limit in LIMITS}
        yield from (f"{name} {what}" for what, is_so in wrong.items() if is_so)


def secret_problems(text: str) -> Iterator[str]:
    """Every secret comes from the environment, and none has a value to fall back to."""
    content = yaml.safe_load(text)
    for name, service in content["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if SECRET.search(variable) and not VARIABLE.fullmatch(str(value)):
                yield f"{name} has the secret {variable} in the file"
            if re.search(r"://[^/@$]*:[^$@/][^@]*@", str(value)):
                yield f"{name} has a password in {variable}"
    for match in VARIABLE.finditer(text):
        if SECRET.search(match["name"]) and match["how"] == ":-" and match["rest"]:
            yield f"{match['name']} has a value to fall back to"


def reference_problems(content: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Whatever is mounted exists, and so do the networks, volumes, secrets that are named."""
    for name, service in content["services"].items():
        for source in _mounted(service):
            if source.startswith("."):
                if not (folder / source).exists():
                    yield f"{name} mounts {source}, which is not there"
            elif not source.startswith("/") and source not in content["volumes"]:
                yield f"{name} mounts the volume {source}, which is not declared"
        for kind, uses in (
            ("networks", "networks"),
            ("secrets", "secrets"),
            ("services", "depends_on"),
        ):
            unknown = [used for used in service.get(uses, ()) if used not in content[kind]]
            yield from (f"{name} names {used}, which is not among the {kind}" for used in unknown)


def _mounted(service: Mapping[str, Any]) -> Iterator[str]:
    for volume in service.get("volumes", ()):
        yield volume["source"] if isinstance(volume, dict) else volume.split(":")[0]


def setting_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Every variable of this project that a container gets is one that the project reads."""
    from animatize_assets.settings import PREFIX, Settings

    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name, service in content["services"].items():
        if service["image"].startswith("animatize_assets"):
            for variable in service["environment"]:
                if variable.startswith(PREFIX) and variable not in known:
                    yield f"{name} gets {variable}, which nothing reads"
