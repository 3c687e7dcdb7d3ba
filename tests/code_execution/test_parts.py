"""The pure parts."""

import base64
import json
import re

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import example, given
from hypothesis.strategies import text

from kari.code_execution.v1.code_execution_pb2 import RunLimits, Runner, RunOutcome
from servers.code_execution.functions import csv_rows, mean, median, stdev, uuid4
from servers.code_execution.output import Output
from servers.code_execution.policy import allowed_of, policy_of, refused_module, runners_of
from servers.code_execution.program import Limits
from servers.code_execution.report import result_of
from servers.code_execution.slots import Slots
from servers.code_execution.within.cpython import may_be_named
from servers.code_execution.worker import explained
from servers.runtime.errors import RateLimited
from servers.runtime.settings import Misconfigured, Settings

LIMITS = Limits(5.0, 256_000_000, 1000, 8)
ALLOWED = frozenset({"math", "json"})


def test_limits_that_are_asked_for_only_lower() -> None:
    """And what is not asked for stays."""
    asked = RunLimits(time=Duration(seconds=1), memory_bytes=10**12, processes=2)
    assert LIMITS.lowered(asked) == Limits(1.0, 256_000_000, 1000, 2)
    assert LIMITS.lowered(RunLimits()) == LIMITS


def test_runners_are_named_in_order() -> None:
    """Each once; empty is off."""
    assert runners_of("cpython, monty,cpython") == (Runner.RUNNER_CPYTHON, Runner.RUNNER_MONTY)
    assert runners_of("") == ()


def test_a_runner_that_is_none_is_misconfigured() -> None:
    """The message names the variable and what there is."""
    with pytest.raises(Misconfigured, match="KARI_CODE_RUNNERS: `docker` is no runner"):
        policy_of(Settings(code_runners="docker"))


def test_a_list_is_a_default_all_or_itself() -> None:
    """As it says."""
    assert allowed_of("", ALLOWED) == ALLOWED
    assert allowed_of("*", ALLOWED) is None
    assert allowed_of("re, os", ALLOWED) == {"re", "os"}


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("import os", "os"),
        ("import math, os.path as p", "os"),
        ("from os import path", "os"),
        ("x = 1; import os", "os"),
        ("if x: import os", "os"),
        ("import \\\n os", "os"),
        ("import math\nimport json as j", None),
        ("important = 1", None),
    ],
)
def test_imports_are_found_in_a_text(code: str, module: str | None) -> None:
    """The first that is not allowed."""
    assert refused_module(code, ALLOWED) == module


def test_output_is_cut_at_its_limit_for_both_streams_together() -> None:
    """And what is no UTF-8 is replaced."""
    output = Output(10)
    output.add("stdout", b"12345\xff")
    output.add("stderr", b"abcdefgh")
    assert output.text("stdout") == "12345\ufffd"
    assert output.text("stderr") == "abcd"
    assert output.truncated


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"outcome": "escaped"}',
        b'{"outcome": []}',
        b'{"outcome": "done", "files": 7}',
        b'{"outcome": "done", "files": [{"name": "../up", "content": ""}]}',
        b'{"outcome": "done", "files": [{"name": "a", "content": "?"}]}',
        b'{"outcome": "done", "left_out": [7]}',
        b'{"outcome": "done", "files": [' + b"[" * 5000 + b"]" * 5000 + b"]}",
    ],
)
def test_a_report_that_no_worker_writes_is_a_program_that_died(report: bytes) -> None:
    """Nothing of it is believed."""
    assert result_of(report).outcome == RunOutcome.RUN_OUTCOME_KILLED


def test_a_value_that_is_no_json_is_none() -> None:
    """It comes from the program."""
    for value in ("{", "[NaN]", "-Infinity", "[" * 100_000, "1" * 600_000):
        report = json.dumps({"outcome": "done", "value_json": value}).encode()
        assert result_of(report).value_json == ""


def test_files_beyond_the_limit_are_no_report() -> None:
    """A worker would have left them out."""
    content = base64.b64encode(b"x" * 2_100_000).decode()
    report = json.dumps({"outcome": "done", "files": [{"name": "a", "content": content}]})
    assert result_of(report.encode()).outcome == RunOutcome.RUN_OUTCOME_KILLED


def test_places_are_for_each_and_for_all() -> None:
    """And free again after."""
    slots = Slots(each=1, all_=2)
    with slots.taken("t", "a"), slots.taken("t", "b"):
        with pytest.raises(RateLimited, match="KARI_CODE_RUNS_PER_USER"), slots.taken("t", "a"):
            pass
        with pytest.raises(RateLimited, match="KARI_CODE_RUNS allows"), slots.taken("t", "c"):
            pass
        assert slots.active == 2
    with slots.taken("t", "a"):
        assert slots.active == 1


def test_functions_of_the_host_calculate() -> None:
    """On numbers and texts."""
    assert mean([1, 2, 6]) == 3.0
    assert median([5, 1, 3]) == 3.0
    assert median([1, 2, 3, 10]) == 2.5
    assert stdev([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx(2.13808993529939)
    assert csv_rows('a,"b,c"\n\n1,2') == [["a", "b,c"], ["1", "2"]]
    assert len(uuid4()) == 36


@pytest.mark.parametrize("given", [[], "abc", [1, "2"], [10**400], [1] * 10_001])
def test_functions_of_the_host_refuse_what_is_none_of_theirs(given: object) -> None:
    """With a message for the program."""
    with pytest.raises(ValueError, match="number"):
        mean(given)


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("bwrap: No permissions to create new namespace", "unprivileged_userns_clone=1"),
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: prctl(PR_SET_SECCOMP): Invalid argument", "CONFIG_SECCOMP_FILTER"),
        ("", "ended without a word"),
    ],
)
def test_why_a_worker_does_not_start_comes_with_the_way_out(said: str, way_out: str) -> None:
    """As far as it is known."""
    assert way_out in explained(said)
    assert said in explained(said)


@given(text(alphabet="aZ9_. -/\n\0é²٣", min_size=1, max_size=3) | text(min_size=1))
@example("a" * 100)
@example("a" * 101)
def test_files_of_programs_have_plain_names(name: str) -> None:
    """Others are not taken out of the jail."""
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name)
    assert may_be_named(name) == bool(plain)
