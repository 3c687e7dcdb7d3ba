"""Names of tools on the wire, there and back. No event loop."""

import re

from hypothesis import given
from hypothesis import strategies as st

from servers.model_factory.tool_names import LONGEST_ID, ToolNames
from tests.model_factory.tools import CALCULATOR, RESEARCHER, call_of, wants

IDS = st.lists(
    st.one_of(
        st.from_regex(r"[a-z][a-z_.]{0,3}", fullmatch=True),
        st.from_regex(r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)*", fullmatch=True),
        st.text(min_size=1, max_size=100),
    ),
    max_size=12,
)


@given(IDS)
def test_every_tool_has_a_name_of_its_own_that_is_allowed_and_leads_back(ids: list[str]) -> None:
    names = ToolNames(ids)
    on_the_wire = {tool_id: names.on_the_wire(tool_id) for tool_id in ids}
    assert len(set(on_the_wire.values())) == len(on_the_wire)
    for tool_id, name in on_the_wire.items():
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
        assert names.tool_id(name) == tool_id


@given(IDS)
def test_the_same_tools_have_the_same_names_in_every_round(ids: list[str]) -> None:
    first, second = ToolNames(ids), ToolNames([*ids, *reversed(ids)])
    assert all(first.on_the_wire(each) == second.on_the_wire(each) for each in ids)


def test_dots_become_underscores_and_allowed_names_stay() -> None:
    names = ToolNames.of([CALCULATOR, RESEARCHER], [])
    assert names.on_the_wire("calculator") == "calculator"
    assert names.on_the_wire("capsule.web_researcher") == "capsule_web_researcher"


def test_ids_that_would_be_called_the_same_are_told_apart() -> None:
    names = ToolNames(["a.b", "a_b", "a.b.c", "a_b.c"])
    assert names.on_the_wire("a_b") == "a_b"
    assert re.fullmatch("a_b_[0-9a-f]{8}", names.on_the_wire("a.b"))
    assert names.on_the_wire("a.b.c") == "a_b_c"
    assert names.on_the_wire("a_b.c").startswith("a_b_c_")


def test_long_ids_that_begin_alike_are_told_apart() -> None:
    one, other = (f"github.{'x' * 80}{end}" for end in "ab")
    names = ToolNames([one, other])
    assert len({names.on_the_wire(one), names.on_the_wire(other)}) == 2
    assert len(names.on_the_wire(one)) == 64


def test_tools_that_were_called_before_and_are_not_offered_any_more_have_names_too() -> None:
    names = ToolNames.of([], [wants(call_of(1, "github.create_issue"))])
    assert names.on_the_wire("github.create_issue") == "github_create_issue"


def test_a_name_that_the_model_made_up_stays_as_it_is() -> None:
    assert ToolNames(["calculator"]).tool_id("launch_missiles") == "launch_missiles"


def test_a_made_up_name_that_is_too_long_for_an_id_becomes_none() -> None:
    found = ToolNames().tool_id("x" * 5000)
    assert len(found) == LONGEST_ID
    assert found.endswith("x…")
