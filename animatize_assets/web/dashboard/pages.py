"""Pages put together from templates: everything that comes from records is escaped.

Belongs here: the templates' environment and words for numbers. Does not belong here: what a page
shows (``now``, ``pictures``, ``figures``, ``comparison``).
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from animatize_assets import __version__
from animatize_assets.performance.alert_models import runbook_of
from animatize_assets.performance.report_page import dollars, duration, percent, quantity

if TYPE_CHECKING:
    import jinja2

NOT_KNOWN: Final = "not known"

STATIC_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

VIEWS: Final = (
    ("now", "/", "Now"),
    ("images", "/images", "Images"),
    ("performance", "/performance", "Performance"),
    ("compare", "/compare", "Compare"),
)
"""Name, path and title of each, in the order of the navigation."""


def page(template: str, **shown: Any) -> str:
    """Return a template filled in; it must be given everything it names."""
    return _environment().get_template(template).render(views=VIEWS, version=__version__, **shown)


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Return the styles and scripts: name -> content and type."""
    folder = files("animatize_assets.web.dashboard") / "static"
    return {
        each.name: (each.read_bytes(), STATIC_TYPES[ending])
        for each in folder.iterdir()
        if (ending := PurePosixPath(each.name).suffix) in STATIC_TYPES
    }


def words(name: str | None) -> str:
    """Write a name of the API for a person: ``high_queue_time`` as ``high queue time``."""
    if name is None:
        return NOT_KNOWN
    return name.replace("_", " ").replace("gpu", "GPU").replace("cpu", "CPU")


def moment(at: datetime | None) -> str:
    """Write an instant, in UTC."""
    return NOT_KNOWN if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def size(byte_count: float) -> str:
    """Write the size of a file."""
    return f"{byte_count / 1e6:.1f} MB" if byte_count >= 1e6 else f"{byte_count / 1e3:.0f} kB"


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("animatize_assets.web.dashboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "duration": duration,
        "dollars": dollars,
        "quantity": quantity,
        "words": words,
        "moment": moment,
        "size": size,
        "runbook": runbook_of,
    }
    return environment
