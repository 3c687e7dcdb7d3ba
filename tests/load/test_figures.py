"""Targets, comparison, and the shape of what is kept."""

import json

import pytest

from tests.load.__main__ import chosen_by, table
from tests.load.exported import stages, sums
from tests.load.figures import change, compared, described, flat, least, most
from tests.load.scenarios import BY_NAME, SCENARIOS
from tests.load.usage import part_of, spent

FIGURES = {"name": "one", "turns_per_s": 50.0, "ttft_ms": {"p50": 10.0}, "at": "now", "short": True}


def test_every_number_has_a_path() -> None:
    assert flat(FIGURES) == {"turns_per_s": 50.0, "ttft_ms.p50": 10.0}


@pytest.mark.parametrize(
    ("target", "mark"),
    [
        (least("turns_per_s", 50), "reached"),
        (least("turns_per_s", 51), "MISSED"),
        (most("ttft_ms.p50", 10), "reached"),
        (most("ttft_ms.p50", 9.9), "MISSED"),
        (most("ttft_ms.p95", 9.9), "MISSED"),
    ],
)
def test_a_target_is_reached_or_missed_and_what_was_not_measured_is_missed(
    target: object, mark: str
) -> None:
    assert target.row(FIGURES).line("one").endswith(mark)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (100.0, 110.0, "+10.0 %"),
        (100.0, 50.0, "-50.0 %"),
        (-4.0, -2.0, "+50.0 %"),
        (3.0, 3.0, "="),
        (0.0, 3.0, "new"),
    ],
)
def test_a_change_is_in_percent_of_what_was(old: float, new: float, shown: str) -> None:
    assert change(old, new) == shown


def test_a_comparison_shows_old_new_and_change_of_what_both_runs_have() -> None:
    new = [{**FIGURES, "turns_per_s": 75.0, "gap_ms": {"p99": 1.0}}, {"name": "long", "turns": 1}]
    lines = compared([FIGURES], new).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["one", "turns_per_s"],
        ["one", "ttft_ms.p50"],
    ]
    assert lines[1].split()[2:] == ["50", "75", "+50.0", "%"]


def test_figures_survive_being_kept_as_json() -> None:
    assert json.loads(json.dumps([FIGURES])) == [FIGURES]
    assert "turns_per_s" in described(FIGURES)


def test_a_name_that_is_not_known_is_told_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match="closed_loop") as raised:
        chosen_by("one,none")
    assert "`none`" in str(raised.value)


def test_names_choose_scenarios_and_none_chooses_those_that_are_meant() -> None:
    assert [s.name for s in chosen_by("long, one")] == ["long", "one"]
    assert list(chosen_by("")) == list(SCENARIOS)
    assert [s.name for s in chosen_by("starts", short=True)] == ["starts"]
    assert all(s.brief for s in chosen_by("", short=True))


def test_every_scenario_has_a_name_of_its_own_and_targets() -> None:
    assert len(BY_NAME) == len(SCENARIOS)
    assert all(scenario.targets for scenario in SCENARIOS)


def test_the_table_has_a_line_for_each_target_of_a_scenario_that_broke_too() -> None:
    one = BY_NAME["one"]
    lines = table([one], [{"name": "one", "broken": "RuntimeError: no"}]).splitlines()
    assert len(lines) == 1 + len(one.targets)
    assert all(line.endswith("MISSED") for line in lines[1:])


PAGE = """# TYPE kari_chat_orchestration_latency_seconds histogram
kari_chat_orchestration_latency_seconds_bucket{stage="context",le="+Inf"} %d
kari_chat_orchestration_latency_seconds_sum{stage="context"} %s
kari_chat_orchestration_latency_seconds_count{stage="context"} %d
"""


def test_stages_are_means_between_two_looks_at_the_metrics() -> None:
    before, after = sums(PAGE % (2, "0.5", 2)), sums(PAGE % (6, "0.9", 6))
    found = stages(before, after)
    assert found == {"orchestration_latency context": pytest.approx(100.0)}
    assert stages(after, after) == {}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("/x/python", "-m", "servers", "chat_hub"), "kari"),
        (("/x/python", "-m", "embedded.forking", "servers.__main__:main"), "kari"),
        (("/var/lib/kari/postgres-18/bin/postgres", "-D", "."), "postgres"),
        (("postgres: kari kari 127.0.0.1(5) idle",), "postgres"),
        (("/x/valkey-server", "*:0"), "valkey"),
        (("/x/python", "-m", "embedded.milvus_launcher"), "milvus"),
        (("/x/python", "-m", "cli.main", "up"), "supervisor"),
    ],
)
def test_processes_are_told_by_their_command_lines(words: tuple[str, ...], part: str) -> None:
    assert part_of(words) == part


def test_a_process_that_is_new_counts_from_zero() -> None:
    assert spent({"kari": 1.0}, {"kari": 3.0, "postgres": 2.0}) == {"kari": 2.0, "postgres": 2.0}
