"""One order of summaries, from words and meaning."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from servers.conversation_search.store_milvus import parted
from servers.conversation_search.summary_ranking import LEAST_SIMILARITY, ranked_summaries

IDS = st.sampled_from([f"sum_{n}" for n in range(8)])
WEIGHTS = st.dictionaries(IDS, st.floats(0, 5))
COSINES = st.dictionaries(IDS, st.floats(-1, 1))


def order(held: Mapping[str, float], cosines: Mapping[str, float], total: float = 4.0) -> list[str]:
    return [each.id for each in ranked_summaries(held, total, cosines)]


def test_words_and_meaning_are_added() -> None:
    held = {"sum_1": 4.0, "sum_2": 0.0, "sum_3": 2.0}
    assert order(held, {"sum_2": 0.8, "sum_3": 0.7, "sum_1": 0.1}) == ["sum_3", "sum_1", "sum_2"]


def test_what_has_no_word_and_is_not_near_does_not_fit() -> None:
    cosines = {"sum_1": LEAST_SIMILARITY - 0.01, "sum_2": LEAST_SIMILARITY}
    assert order({"sum_1": 0.0, "sum_2": 0.0, "sum_3": 0.0}, cosines) == ["sum_2"]


def test_among_equals_the_later_one_comes_first() -> None:
    assert order({"sum_1": 1.0, "sum_2": 1.0}, {}) == ["sum_2", "sum_1"]


@given(WEIGHTS, COSINES)
def test_the_order_does_not_hang_on_the_order_of_the_inputs(
    held: dict[str, float], cosines: dict[str, float]
) -> None:
    turned = dict(reversed(held.items())), dict(reversed(cosines.items()))
    assert order(held, cosines) == order(*turned)
    assert set(order(held, cosines)) <= set(held)


@given(
    st.lists(st.tuples(st.sampled_from(["msg", "sum"]), st.integers(0, 99)), unique=True),
    st.integers(1, 9),
)
def test_messages_and_summaries_are_told_apart(found: list[tuple[str, int]], most: int) -> None:
    """No more messages than are asked for, the nearest of them."""
    near = parted({f"{kind}_{n}": 1 - n / 100 for kind, n in found}, most)
    messages = [f"{kind}_{n}" for kind, n in found if kind == "msg"]
    assert list(near.cosines) == messages[:most]
    assert set(near.summaries) == {f"sum_{n}" for kind, n in found if kind == "sum"}
