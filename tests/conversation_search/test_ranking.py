"""One order from words, meaning and names."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from servers.conversation_search.ranking import NAMED, Turn, ranked

WEIGHTS = {"bear": 2.0, "saw": 1.0}


def turn(place: int, words: Mapping[str, int], author: str = "Ada", **fields: object) -> Turn:
    return Turn(f"msg_{place:03}", "conv_1", place, author, 5, words, **fields)  # type: ignore[arg-type]


def order(
    turns: Sequence[Turn], cosines: Mapping[str, float] | None = None, *named: str
) -> list[str]:
    return [each.id for each in ranked(turns, WEIGHTS, cosines or {}, named)]


def test_rarer_words_count_more() -> None:
    turns = [turn(1, {"saw": 1}), turn(5, {"bear": 1})]
    assert order(turns) == ["msg_005", "msg_001"]


def test_a_neighbour_s_words_count_half() -> None:
    """Those of both sides, but not of the next but one."""
    turns = [turn(1, {"bear": 1}), turn(2, {}), turn(4, {}), turn(5, {"bear": 1, "saw": 1})]
    assert order(turns) == ["msg_005", "msg_004", "msg_001", "msg_002"]


def test_meaning_is_added_to_words() -> None:
    turns = [turn(1, {"saw": 1}), turn(5, {})]
    assert order(turns, {"msg_005": 0.9, "msg_001": 0.1}) == ["msg_005", "msg_001"]


def test_what_is_not_among_the_nearest_is_as_near_as_the_last_of_them_if_it_has_a_word() -> None:
    turns = [turn(1, {"saw": 1}), turn(5, {}), turn(9, {})]
    alone = {each.id: each.score for each in ranked(turns, WEIGHTS, {}, ())}
    found = {each.id: each.score for each in ranked(turns, WEIGHTS, {"msg_005": 0.4}, ())}
    assert found == {"msg_001": round(alone["msg_001"] + 0.4, 6), "msg_005": 0.4, "msg_009": 0.0}


def test_what_the_named_one_said_counts_more_and_others_conversations_less() -> None:
    elsewhere = Turn("msg_009", "conv_2", 1, "Eve", 5, {"bear": 1})
    turns = [turn(1, {"bear": 1}, "Ben"), turn(5, {"bear": 1}, "Ada"), elsewhere]
    found = {each.id: each.score for each in ranked(turns, WEIGHTS, {}, {"Ben"})}
    assert abs(found["msg_001"] / found["msg_005"] - NAMED) < 1e-5
    assert abs(found["msg_005"] / found["msg_009"] - NAMED) < 1e-5


def test_the_day_of_a_message_counts_as_said_in_it() -> None:
    turns = [turn(1, {}), turn(5, {}, date=frozenset({"saw"}))]
    assert order(turns) == ["msg_005", "msg_001"]


def test_what_is_not_wanted_only_tells_of_its_neighbours() -> None:
    turns = [turn(1, {"bear": 1}, wanted=False), turn(2, {}), turn(5, {})]
    assert order(turns) == ["msg_002", "msg_005"]


def test_among_equals_the_later_one_comes_first() -> None:
    assert order([turn(1, {}), turn(5, {}), turn(9, {})]) == ["msg_009", "msg_005", "msg_001"]


def test_nothing_to_go_by_is_no_error() -> None:
    assert ranked([], {}, {}, ()) == []
    assert [each.score for each in ranked([turn(1, {})], {}, {}, ())] == [0.0]


@given(st.permutations(range(8)), st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_the_order_of_candidates_means_nothing(places: list[int], cosines: list[float]) -> None:
    turns = [turn(place, {"bear": place % 3}, "AB"[place % 2]) for place in range(8)]
    near = {each.id: cosine for each, cosine in zip(turns, cosines, strict=True)}
    shuffled = [turns[place] for place in places]
    assert ranked(shuffled, WEIGHTS, near, {"A"}) == ranked(turns, WEIGHTS, near, {"A"})
