"""Rules are data: each fires and is silent, and a file that cannot work says all that is wrong."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from animatize_assets.errors import InvalidRule
from animatize_assets.movement.judging import evidence_of, fired_rules
from animatize_assets.movement.measurements import MEASUREMENTS, Readings
from animatize_assets.movement.rule_schema import Rule, RuleBook
from animatize_assets.movement.rules import load_rules, packaged_rules_version
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.movement.analyses import GENES, analysis_of, random_genes

RULES = load_rules()
FAMILIES = {
    "composition",
    "camera_movement",
    "lighting",
    "visual_effects",
    "depth",
    "motion",
    "emotion",
}


def book_of(rule: Rule) -> RuleBook:
    return RuleBook("test", (rule,), (), RULES.works)


def test_there_are_rules_of_every_family_and_category() -> None:
    assert len(RULES.rules) >= 47
    assert {rule.family for rule in RULES.rules} == FAMILIES
    assert {rule.category for rule in RULES.rules} == {"camera", "character", "environment"}


def test_the_version_names_the_stated_one_and_the_content() -> None:
    assert re.fullmatch(r"\d+(\.\d+)*\+[0-9a-f]{12}", RULES.version)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_can_be_read(name: str) -> None:
    """The names of rules are the names of the analysis, and every value has the stated kind."""
    values = [Readings(analysis_of(random_genes(seed)))[name] for seed in range(12)]
    kind = str if MEASUREMENTS[name].kind == "word" else float
    assert {type(value) for value in values} <= {kind, type(None)}
    assert any(value is not None for value in values)


def passed_share(rule: Rule, analysis: SceneAnalysis) -> float:
    """How nearly the rule fires: the sum of margins, less how far the rest misses."""
    readings = Readings(analysis)
    total = 0.0
    for condition in rule.conditions:
        value, threshold, full = (
            readings[condition.measurement],
            condition.threshold,
            condition.full,
        )
        if isinstance(value, float) and isinstance(threshold, float) and full is not None:
            passed = (value - threshold) / (full - threshold)
            total += min(0.5, max(-5.0, passed))
        elif value != threshold and not (isinstance(threshold, tuple) and value in threshold):
            total -= 5
    return total


POOL = [random_genes(seed) for seed in range(150)]
POOL_ANALYSES = [analysis_of(genes) for genes in POOL]


def analysis_that_fires(rule: Rule) -> SceneAnalysis | None:
    """Search for an analysis in which the rule holds, by small changes to the nearest one."""
    source = random.Random(rule.id)
    scores = [passed_share(rule, analysis) for analysis in POOL_ANALYSES]
    start = max(range(len(POOL)), key=lambda i: scores[i])
    genes, best, analysis = POOL[start], scores[start], POOL_ANALYSES[start]
    for _ in range(3000):
        if fired_rules(Readings(analysis), book_of(rule)):
            return analysis
        changed = list(genes)
        for _ in range(source.choice((1, 2, 8))):
            changed[source.randrange(GENES)] = source.random()
        candidate = analysis_of(changed)
        score = passed_share(rule, candidate)
        if score >= best:
            genes, best, analysis = changed, score, candidate
    return None


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_the_rule_fires_on_one_analysis_and_is_silent_on_another(rule: Rule) -> None:
    book = book_of(rule)
    firing = analysis_that_fires(rule)
    assert firing is not None
    silent = [a for a in POOL_ANALYSES if not fired_rules(Readings(a), book)]
    assert silent

    readings = Readings(firing)
    (fired,) = fired_rules(readings, book)
    evidence = evidence_of(fired, readings)
    assert [e.measurement for e in evidence][: len(rule.conditions)] == [
        c.measurement for c in rule.conditions
    ]
    assert 0 < fired.strength <= rule.weight
    assert fired.strength <= min(e.margin for e in evidence) * rule.weight + 1e-6 or (
        rule.category != "camera"
    )


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_removing_any_evidence_that_a_rule_names_silences_it(rule: Rule) -> None:
    firing = analysis_that_fires(rule)
    assert firing is not None
    for condition in rule.conditions:
        readings = Readings(firing)
        threshold = condition.threshold
        readings[condition.measurement] = threshold if isinstance(threshold, float) else None
        assert fired_rules(readings, book_of(rule)) == []


def test_a_missing_measurement_holds_only_where_absence_is_asked_for() -> None:
    rule = RULES.rules[0].model_dump()
    for comparison, value, fires in (
        ("is_absent", None, True),
        ("is_absent", 0.3, False),
        ("is_present", None, False),
        ("is_present", 0.3, True),
    ):
        conditions = [{"measurement": "subject.strength", "comparison": comparison}]
        changed = Rule.model_validate({**rule, "conditions": conditions})
        readings = Readings(POOL_ANALYSES[0])
        readings["subject.strength"] = value
        assert bool(fired_rules(readings, book_of(changed))) is fires


# ── files that cannot be used ────────────────────────────────────────────────────────────────

GOOD: dict[str, Any] = {
    "id": "one",
    "family": "composition",
    "category": "camera",
    "conditions": [
        {"measurement": "subject.strength", "comparison": ">=", "threshold": 0.3, "full": 0.6}
    ],
    "move": {"type": "push_in", "direction": "in"},
    "justification": "The subject stands out ({subject.strength}).",
    "weight": 0.5,
    "source": {"work": "katz", "idea": "closer is stronger"},
    "note": "made up",
}


def written(folder: Path, *rules: dict[str, Any], **top: Any) -> Path:
    path = folder / "rules.yaml"
    works = {"katz": {"author": "A", "title": "T", "year": 1991}}
    path.write_text(yaml.safe_dump({"version": "1", "works": works, "rules": list(rules), **top}))
    return path


def condition(**changes: Any) -> dict[str, Any]:
    return {"conditions": [{**GOOD["conditions"][0], **changes}]}


def derived(**changes: Any) -> dict[str, Any]:
    direction = {"towards": "subject.center_x", "band": 0.05, "full": 0.1, **changes}
    return {"move": {"type": "pan", "direction": direction}}


def test_a_good_file_loads(tmp_path: Path) -> None:
    assert load_rules(written(tmp_path, GOOD)).rules[0].id == "one"
    assert load_rules(written(tmp_path, {**GOOD, **derived()})).rules[0].move.type == "pan"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (condition(measurement="subject.strenght"), "did you mean 'subject.strength'"),
        (condition(comparison="=>"), "comparison"),
        (condition(measurement="subject.center_x"), "changes when the picture is mirrored"),
        (condition(full=None), "needs the numbers threshold and full"),
        (condition(full=0.1), "must lie above the threshold"),
        (condition(comparison="<="), "must lie below the threshold"),
        (condition(comparison="==", threshold="high"), "is a number; compare it with"),
        (condition(measurement="lighting.key"), "is a word; compare it with"),
        (condition(comparison="is_present"), "takes no threshold"),
        ({"move": {"type": "fly", "direction": None}}, "no camera move"),
        ({"move": {"type": "pan", "direction": "left"}}, "wrong in the mirrored picture"),
        ({"move": {"type": "pan", "direction": None}}, "it needs a derived direction"),
        ({"move": {"type": "push_in", "direction": "out"}}, "it needs one of in"),
        (derived(towards="subject.area"), "points nowhere"),
        (derived(towards="subject.center_z"), "there is no measurement"),
        (derived(towards="subject.center_y"), "points along y, where a 'pan' cannot go"),
        (derived(away_from="subject.center_x"), "exactly one"),
        (derived(full=0.01), "must lie above band"),
        ({"justification": "No values."}, "fills in no measured value"),
        ({"justification": "{subject.area}"}, "on which the rule has no condition"),
        ({"justification": "{subject.strength:feet}"}, "none of count, degrees, percent"),
        ({"justification": "{subject.strength} to the left"}, "write {heading} instead"),
        ({"source": {"work": "nobody", "idea": "x"}}, "not in 'works'"),
        ({"id": "no_evidence"}, "reserved"),
        ({"weight": 1.5}, "less than or equal to 1"),
        ({"family": "magic"}, "family"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_rule_that_cannot_work_is_named_with_the_remedy(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    rule = {**GOOD, **changes}
    with pytest.raises(InvalidRule, match=re.escape(sentence)) as caught:
        load_rules(written(tmp_path, rule))
    assert f"rule '{rule['id']}'" in caught.value.message


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    first = {**GOOD, **condition(measurement="nothing.here"), "justification": "Plain."}
    second = {**GOOD, **derived(towards="subject.area")}
    with pytest.raises(InvalidRule, match="4 problems") as caught:
        load_rules(written(tmp_path, first, second))
    assert "another rule has this id" in caught.value.message


def test_a_contradiction_with_a_movement_that_no_rule_proposes_is_refused(tmp_path: Path) -> None:
    contradiction = {
        "movements": ["dragon_flies"],
        "camera": ["pan"],
        "when": "always",
        "remedy": "dropped",
        "why": "x",
    }
    with pytest.raises(InvalidRule, match="dragon_flies"):
        load_rules(written(tmp_path, GOOD, contradictions=[contradiction]))


@pytest.mark.parametrize("text", ["rules: [", "- 1", "\ufeff\x00", "version: '1'"])
def test_what_is_no_rule_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InvalidRule):
        load_rules(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRule, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")


def test_the_version_alone_is_that_of_the_loaded_rules() -> None:
    assert packaged_rules_version() == load_rules().version
