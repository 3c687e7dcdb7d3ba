"""The choice of a model. No event loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.conversation_pb2 import ConversationMode as Mode
from kari.conversation_models.v1.model_pb2 import SelectionRule as Rule
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory.catalog import Catalog
from servers.model_factory.complexity import HARD, LOOKED_AT, is_hard, points
from servers.model_factory.configuration import (
    LOCAL_ID,
    Configuration,
    ModelEntry,
    ProviderEntry,
    Routing,
)
from servers.model_factory.routing import Choice, Router, Wish
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, NotFound

HARD_MESSAGE = "Compare both and derive step by step why:\n```\nf(x)\n```\n"
USER = Principal("user_1", "tenant_1", frozenset({"chat.user"}))
ADMIN = Principal("user_2", "tenant_1", frozenset({"chat.admin"}))


def entry(*models: ModelEntry) -> ProviderEntry:
    return ProviderEntry(kind="openai", base_url="http://x", models=models)


CONFIGURATION = Configuration(
    providers={
        "a": entry(ModelEntry(id="small"), ModelEntry(id="big")),
        "b": entry(ModelEntry(id="costly", roles=("chat.models.costly",))),
    },
    routing=Routing(
        default="a/small",
        complex="a/big",
        modes={"code": "b/costly"},
        fallback=("a/small", "b/costly", LOCAL_ID, "a/big"),
    ),
)
CATALOG = Catalog(CONFIGURATION)
ROUTER = Router(CONFIGURATION.routing, CATALOG)


def choice(
    override: str = "",
    mode: Mode.ValueType = Mode.CONVERSATION_MODE_CHAT,
    content: str = "Hi",
    who: Principal = USER,
) -> Choice:
    return ROUTER.choose(Wish(override, mode, content), who)


def test_the_model_that_was_asked_for_comes_before_all_else() -> None:
    found = choice("a/small", Mode.CONVERSATION_MODE_CODE, HARD_MESSAGE)
    assert (found.model.id, found.rule) == ("a/small", Rule.SELECTION_RULE_OVERRIDE)


def test_the_modes_model_comes_before_the_one_for_hard_messages() -> None:
    found = choice(mode=Mode.CONVERSATION_MODE_CODE, content=HARD_MESSAGE)
    assert (found.model.id, found.rule) == ("b/costly", Rule.SELECTION_RULE_MODE)


def test_a_hard_message_gets_the_model_for_hard_ones() -> None:
    found = choice(content=HARD_MESSAGE)
    assert (found.model.id, found.rule) == ("a/big", Rule.SELECTION_RULE_COMPLEXITY)


def test_the_default_answers_what_no_rule_decides() -> None:
    found = choice(mode=Mode.CONVERSATION_MODE_UNSPECIFIED)
    assert (found.model.id, found.rule) == ("a/small", Rule.SELECTION_RULE_DEFAULT)


@pytest.mark.parametrize("mode", Mode.values())
@pytest.mark.parametrize("content", ["Hi", HARD_MESSAGE])
def test_every_choice_is_explained_with_the_models_name(mode: Mode.ValueType, content: str) -> None:
    found = choice(mode=mode, content=content)
    assert found.model.id in found.explanation


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFound) as caught:
        choice("a/huge")
    assert caught.value.reason == Reason.REASON_MODEL_NOT_FOUND
    assert caught.value.details["known"] == f"a/small, a/big, b/costly, {LOCAL_ID}"


def test_a_model_is_refused_to_those_who_lack_its_role() -> None:
    with pytest.raises(Forbidden) as caught:
        choice("b/costly")
    assert caught.value.reason == Reason.REASON_ROLE_MISSING
    assert caught.value.details["role"] == "chat.models.costly"


def test_administrators_may_choose_any_model() -> None:
    assert choice("b/costly", who=ADMIN).model.id == "b/costly"


def test_fallbacks_keep_their_order_and_end_with_the_local_model() -> None:
    found = ROUTER.fallbacks(CATALOG.find("a/small"), lambda _: False)
    assert [model.id for model in found] == ["b/costly", "a/big", LOCAL_ID]


def test_providers_whose_breaker_is_open_come_after_those_that_answer() -> None:
    found = ROUTER.fallbacks(CATALOG.find("a/big"), lambda provider: provider == "a")
    assert [model.id for model in found] == ["b/costly", "a/small", LOCAL_ID]


def test_the_local_model_has_the_others_after_it_and_not_itself() -> None:
    found = ROUTER.fallbacks(CATALOG.find(LOCAL_ID), lambda _: False)
    assert [model.id for model in found] == ["a/small", "b/costly", "a/big"]


def test_without_a_configuration_the_local_model_answers() -> None:
    router = Router(Routing(), Catalog(Configuration()))
    found = router.choose(Wish("", Mode.CONVERSATION_MODE_CODE, HARD_MESSAGE), USER)
    assert (found.model.id, found.rule) == (LOCAL_ID, Rule.SELECTION_RULE_DEFAULT)
    assert router.fallbacks(found.model, lambda _: False) == []


def test_the_first_model_configured_is_the_default_where_none_is_named() -> None:
    router = Router(Routing(), CATALOG)
    assert router.choose(Wish("", 0, "Hi"), USER).model.id == "a/small"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", ["", "Hello!", "What is the capital of France?", "Tell me a joke. " * 10]
)
def test_plain_messages_are_not_hard(content: str) -> None:
    assert not is_hard(content)


def test_a_long_reasoned_request_is_hard() -> None:
    assert is_hard("Please analyze the trade-offs of both designs. " * 30)


@given(st.text(max_size=500))
def test_points_are_the_same_each_time_and_within_their_range(content: str) -> None:
    assert points(content) == points(content)
    assert 0 <= points(content) <= HARD * 2


@given(
    st.sampled_from(["x", "x ", "\n", " - x\n", "?", "    x\n", "\t", "1. x "]),
    st.text("x \n\t?-1.`", max_size=200),
)
def test_only_the_beginning_of_a_message_counts(piece: str, rest: str) -> None:
    """So a long message takes no more work than a short one."""
    beginning = (piece * LOOKED_AT)[:LOOKED_AT]
    assert points(beginning + rest) == points(beginning)


def test_demands_are_found_below_empty_lines() -> None:
    """However many there are, each line is looked at by itself."""
    assert points("\n\n - one\n\n\t2. two\n\n\n* three") == 1
    assert points("x" + "\n" * 20_000 + "x") == 0
