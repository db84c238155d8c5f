"""Alerts ask for metrics that there are, fire when they should, and say what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from animatize_assets_tests.deploy.observed import (
    CONFIG,
    OBSERVABILITY,
    REPOSITORY,
    RULE_FILES,
    RULE_TESTS,
    alerts,
    dashboard_queries,
    metrics_in,
    parsed,
    rule_queries,
    rules,
)

RUNBOOK = REPOSITORY / "docs" / "runbook.md"
METRICS_PAGE = REPOSITORY / "docs" / "metrics.md"
OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")
BY_PROMETHEUS = {"up", "ALERTS", "scrape_samples_scraped", "scrape_duration_seconds"}
BY_THE_CLIENT_LIBRARY = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}


def promtool(*arguments: str | Path, given: str | None = None) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    ended = subprocess.run(
        [program, *arguments], capture_output=True, text=True, input=given, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def on_the_page() -> set[str]:
    """The names that samples have; another test compares this list with what the service tells."""
    told = set()
    for line in METRICS_PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `animatize_"):
            for name in re.findall(r"`(animatize_\w+)`", line.split("|")[1]):
                is_spread = "histogram" in line
                told |= {name + part for part in OF_A_HISTOGRAM} if is_spread else {name}
    return told


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('sum by (le, a) (rate(x_bucket{b="y_total", c=~"z|w"}[5m]))', {"x_bucket"}),
        ("a:b_c:sum / (clamp_min(d, 1) > 0) or 0 * e unless f", {"a:b_c:sum", "d", "e", "f"}),
        ('label_replace(0 * sum(a), "error_type", "none", "", "") and on(b) up', {"a", "up"}),
    ],
)
def test_the_names_in_a_query_are_found(query: str, names: set[str]) -> None:
    assert metrics_in(query) == names


def test_every_metric_of_a_rule_or_dashboard_is_on_the_metrics_page() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = on_the_page() | recorded | BY_PROMETHEUS | BY_THE_CLIENT_LIBRARY
    used = {
        where: metrics_in(query) for where, query in (rule_queries() | dashboard_queries()).items()
    }
    assert not {where: names - known for where, names in used.items() if names - known}
    assert all(used.values())


def test_every_metric_of_the_page_is_shown_by_a_rule_or_dashboard() -> None:
    used = set().union(*map(metrics_in, (rule_queries() | dashboard_queries()).values()))
    bases = {re.sub("_(bucket|count|sum)$", "", name) for name in on_the_page()}
    assert {base for base in bases if not any(name.startswith(base) for name in used)} == set()


def test_every_alert_says_how_urgent_it_is_and_has_a_section_in_the_runbook() -> None:
    sections = re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == [rule["alert"] for rule in alerts()]
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        anchor = rule["alert"].lower()
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{anchor}"
        assert rule["annotations"]["summary"].endswith(".")


def test_every_alert_is_shown_to_fire_and_to_keep_quiet() -> None:
    fires, quiet = Counter[str](), Counter[str]()
    for file in RULE_TESTS:
        for test in parsed(file)["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case["exp_alerts"] else quiet)[case["alertname"]] += 1
    names = {rule["alert"] for rule in alerts()}
    assert set(fires) == names
    assert set(quiet) == names


def test_the_rules_own_tests_take_groups_in_the_order_in_which_they_build_on_each_other() -> None:
    """Else promtool takes them in any order, and a test passes on some days only."""
    recorded_first = sorted(RULE_FILES, key=lambda file: file.stem != "recording")
    groups = [group["name"] for file in recorded_first for group in parsed(file)["groups"]]
    assert len(set(groups)) == len(groups)
    for file in RULE_TESTS:
        assert parsed(file)["group_eval_order"] == groups, file.name


def test_the_configuration_reads_the_rules_and_asks_the_services_own_port() -> None:
    config = parsed(CONFIG)
    found = {file for pattern in config["rule_files"] for file in OBSERVABILITY.glob(pattern)}
    assert found == set(RULE_FILES)
    (scraped,) = config["scrape_configs"]
    assert scraped["job_name"] == "animatize"
    assert scraped["static_configs"] == [{"targets": ["127.0.0.1:8328"]}]


def test_promtool_finds_nothing_in_configuration_and_rules() -> None:
    promtool("check", "config", "--lint=all", "--lint-fatal", CONFIG)
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_promtool_runs_the_rules_own_tests(file: Path) -> None:
    promtool("test", "rules", file)


def test_the_rules_own_tests_fail_where_a_rule_is_wrong(tmp_path: Path) -> None:
    """A test that cannot fail shows nothing: with another threshold it must."""
    for folder, files in (("rules", RULE_FILES), ("rules_tests", RULE_TESTS)):
        (tmp_path / folder).mkdir()
        for file in files:
            (tmp_path / folder / file.name).write_bytes(file.read_bytes())
    rules_file = tmp_path / "rules" / "alerts.yml"
    document = yaml.safe_load(rules_file.read_text(encoding="utf-8"))
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["expr"] = rule["expr"].replace("animatize_provider_available == 0", "vector(1)")
    rules_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(AssertionError, match="AnimatizeProviderDown"):
        promtool("test", "rules", tmp_path / "rules_tests" / "providers.yml")
