"""Draw the rooms into ``architecture.md`` from the import contracts in ``pyproject.toml``.

The contracts are what CI checks (``lint-imports``), so the drawing cannot claim what does not hold.
Run ``python docs/draw_architecture.py`` after a change of the contracts or of a room's docstring;
a test fails while the page is out of date.
"""

from __future__ import annotations

import ast
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "animatize_assets"
BEGIN = "<!-- begin: drawn by docs/draw_architecture.py -->"
END = "<!-- end: drawn by docs/draw_architecture.py -->"

FEW_SOURCES = 2
"""A contract that forbids no more modules than this is drawn as an arrow, others as a colour."""

COLORS = {
    "settings": ("reads settings", "stroke:#d97706,stroke-width:3px"),
    "dagster": ("knows Dagster", "fill:#dbe4ff,color:#1e2a52"),
}
"""By contract id: what a module outside the contract may do, and how it is drawn."""


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is up to date.")


def updated(page: str) -> str:
    """``page`` with everything between the markers drawn again."""
    before, found, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found or not found_end:
        raise SystemExit(f"{PAGE.name} has lost its markers: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{drawn()}\n\n{END}{after}"


def drawn() -> str:
    """Draw the diagram, its key, and a table of the rooms and of what is forbidden."""
    contracts = _contracts()
    layers = next(c for c in contracts if c["type"] == "layers")["layers"]
    rows = [[name.strip() for name in layer.replace("|", ":").split(":")] for layer in layers]
    forbidden = [c for c in contracts if c["type"] == "forbidden"]
    rooms = _rooms()
    beside = sorted(set(rooms) - {name for row in rows for name in row})
    return "\n\n".join(
        [
            _diagram(rows, beside, forbidden),
            _key(),
            _room_table(rows, beside, rooms),
            _rules(forbidden),
        ]
    )


def _contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(settings["tool"]["importlinter"]["contracts"])


def _rooms() -> dict[str, str]:
    """Every package and module of the top level, with the first sentence of its docstring."""
    found = {}
    for path in sorted((ROOT / PACKAGE).iterdir()):
        source = path / "__init__.py" if path.is_dir() else path
        if (
            source.suffix != ".py"
            or not source.exists()
            or source.name == "__init__.py" == path.name
        ):
            continue
        docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        found[path.stem] = " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")
    return found


def _diagram(rows: list[list[str]], beside: list[str], forbidden: list[dict[str, Any]]) -> str:
    lines = ["```mermaid", "flowchart TB"]
    for index, row in enumerate(rows):
        if len(row) == 1:
            continue
        lines += [f'    subgraph layer{index}[" "]', "        direction LR"]
        lines += [f"        {name}" for name in row]
        lines.append("    end")
    ids = [row[0] if len(row) == 1 else f"layer{index}" for index, row in enumerate(rows)]
    lines += [f"    {upper} --> {lower}" for upper, lower in pairwise(ids)]
    if beside:
        lines += ['    subgraph beside["beside the layers"]']
        lines += [f"        {name}" for name in beside]
        lines.append("    end")
    everyone = {name for row in rows for name in row} | set(beside)
    for contract in forbidden:
        sources = [_short(name) for name in contract["source_modules"]]
        if len(sources) <= FEW_SOURCES:
            lines += [
                f"    {source} -. never .-x {_short(target)}"
                for source in sources
                for target in contract["forbidden_modules"]
            ]
        elif contract["id"] in COLORS:
            allowed = sorted(everyone - set(sources) - {contract["id"]})
            lines.append(f"    classDef may_{contract['id']} {COLORS[contract['id']][1]}")
            lines.append(f"    class {','.join(allowed)} may_{contract['id']}")
    lines.append("```")
    return "\n".join(lines)


def _key() -> str:
    return (
        "A module imports only from rows below its own, but from all of them; modules in one row "
        "may know each other. Blue: may import Dagster. Orange border: may read settings. "
        "Crossed out: never imports."
    )


def _room_table(rows: list[list[str]], beside: list[str], rooms: dict[str, str]) -> str:
    names = [name for row in rows for name in row] + beside
    table = ["| module | is |", "|---|---|"]
    table += [f"| `{name}` | {rooms.get(name, 'not written yet')} |" for name in names]
    return "\n".join(table)


def _rules(forbidden: list[dict[str, Any]]) -> str:
    table = ["| rule | so these never import | what |", "|---|---|---|"]
    for contract in forbidden:
        sources = ", ".join(f"`{_short(name)}`" for name in contract["source_modules"])
        targets = ", ".join(f"`{_short(name)}`" for name in contract["forbidden_modules"])
        table.append(f"| {contract['name']} | {sources} | {targets} |")
    return "\n".join(table)


def _short(module: str) -> str:
    return module.removeprefix(f"{PACKAGE}.")


if __name__ == "__main__":
    main()
