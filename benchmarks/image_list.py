"""What a page of images costs over HTTP when there are 100,000 of them.

Each kind of page is asked for in turn of a service with 1,000 images and of one with 100,000, both
in this process. A page may cost at most twice as much with a hundred times the images; looking
through all keys, which has no index, at most a quarter of a second.

    python benchmarks/image_list.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from image_rows import image_row
from report import alternate, compare, finish, measure, medians
from sqlalchemy import Engine, case, insert, literal, select

from animatize_assets.database.tables import image_states, images
from animatize_assets.web.app import create_app
from animatize_assets.web.service import Service
from animatize_assets.workplace.opening import open_workplace

MANY, FEW = 100_000, 1_000
QUICK_MANY = 20_000
RATIO_GOAL = 2.0
SEARCH_GOAL_MS = 250.0
PAGES = {
    "first page": "",
    "a page in the middle": "cursor={half}",
    "failed ones (1 in 500)": "state=failed",
    "of one provider (1 in 100)": "provider=flux",
    "of one movement (1 in 50)": "movement=tilt",
}
SEARCH = "search=no-such-key"
ROWS_AT_ONCE = 10_000
PORT_WAIT_S = 60.0


def fill(engine: Engine, count: int) -> None:
    """Register images that differ in state, provider and movement."""
    now = datetime.now(UTC)
    for first in range(1, count + 1, ROWS_AT_ONCE):
        numbers = range(first, min(first + ROWS_AT_ONCE, count + 1))
        with engine.begin() as connection:
            connection.execute(insert(images), [image_row(number, now) for number in numbers])
    number = images.c.id
    columns = {
        "image_id": number,
        "state": case((number % 500 == 1, "failed"), else_="complete"),
        "provider": case((number % 100 == 2, "flux"), else_="local"),
        "movement": case((number % 50 == 3, "tilt"), else_="push_in"),
        "updated_at": literal(now),
    }
    with engine.begin() as connection:
        chosen = select(*(value.label(name) for name, value in columns.items()))
        connection.execute(insert(image_states).from_select(list(columns), chosen))


@contextmanager
def served(folder: Path, count: int) -> Iterator[httpx.Client]:
    """Serve a data folder with ``count`` images on a free port of loopback."""
    os.environ["ANIMATIZE_DATA_DIR"] = str(folder)
    service = Service.of(open_workplace())
    service.warm_up = lambda: None  # a list needs neither Dagster nor an estimator
    fill(service.images.engine, count)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    until = time.monotonic() + PORT_WAIT_S
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=PORT_WAIT_S) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def ask(client: httpx.Client, query: str, count: int) -> None:
    """Ask for one page; anything but an answer ends the benchmark."""
    client.get(f"/api/images?{query.format(half=count // 2)}").raise_for_status()


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 images: under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    many = QUICK_MANY if options.quick else MANY
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as undo:
        few_client = undo.enter_context(served(Path(folder) / "few", FEW))
        many_client = undo.enter_context(served(Path(folder) / "many", many))
        for name, query in PAGES.items():
            seconds = medians(
                alternate(
                    {
                        "few": lambda query=query: ask(few_client, query, FEW),
                        "many": lambda query=query: ask(many_client, query, many),
                    },
                    repeats=41,
                    warm_up=3,
                )
            )
            rows.append(
                compare(
                    f"{name}, {many:,} images / {FEW:,}",
                    1000 * seconds["many"],
                    "ms",
                    baseline=1000 * seconds["few"],
                    goal=RATIO_GOAL,
                    direction="at most",
                )
            )
        search = medians(alternate({"search": lambda: ask(many_client, SEARCH, many)}))
        rows.append(
            measure(
                f"a key that none of {many:,} has",
                1000 * search["search"],
                "ms",
                goal=SEARCH_GOAL_MS,
            )
        )
    return finish("image_list", rows, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
