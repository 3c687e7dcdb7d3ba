"""Which model answers, and which come after it.

Rules in order, the first that has an answer decides: the model that was asked for, the mode's
model, the model for hard messages, the default. Pure.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kari.conversation_models.v1.conversation_pb2 import ConversationMode
from kari.conversation_models.v1.model_pb2 import SelectionRule
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory.catalog import Catalog, Known
from servers.model_factory.complexity import is_hard
from servers.model_factory.configuration import LOCAL_ID, Mode, Routing
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden

_MODES: dict[ConversationMode.ValueType, Mode] = {
    ConversationMode.CONVERSATION_MODE_UNSPECIFIED: "chat",
    ConversationMode.CONVERSATION_MODE_CHAT: "chat",
    ConversationMode.CONVERSATION_MODE_ANALYSIS: "analysis",
    ConversationMode.CONVERSATION_MODE_CREATIVE: "creative",
    ConversationMode.CONVERSATION_MODE_TECHNICAL: "technical",
    ConversationMode.CONVERSATION_MODE_CODE: "code",
    ConversationMode.CONVERSATION_MODE_SUMMARIZATION: "summarization",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the choice depends on. `override` is empty where no model was asked for."""

    override: str
    mode: ConversationMode.ValueType
    content: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen model, the rule that chose it, and one sentence for people."""

    model: Known
    rule: SelectionRule.ValueType
    explanation: str


class Router:
    """The rules of one configuration."""

    def __init__(self, routing: Routing, catalog: Catalog) -> None:
        self._routing = routing
        self._catalog = catalog
        self._default = routing.default or catalog.names()[0]

    def choose(self, wish: Wish, principal: Principal) -> Choice:
        """The model for a message. NotFound if the one asked for does not exist, Forbidden if its
        roles are missing: a wish is refused, not silently replaced."""
        if wish.override:
            return self._overridden(wish.override, principal)
        mode = _MODES[wish.mode]
        if mode in self._routing.modes:
            return self._by_mode(mode)
        if self._routing.complex is not None and is_hard(wish.content):
            model = self._catalog.find(self._routing.complex)
            why = f"{model.id} answers messages that look hard, as this one does"
            return Choice(model, SelectionRule.SELECTION_RULE_COMPLEXITY, why)
        model = self._catalog.find(self._default)
        return Choice(model, SelectionRule.SELECTION_RULE_DEFAULT, f"{model.id} answers by default")

    def fallbacks(self, chosen: Known, is_open: Callable[[str], bool]) -> list[Known]:
        """The models after the chosen one: those whose provider answers, then those whose breaker
        is open, then the local one, which needs nobody else."""
        names = self._routing.fallback or (self._default,)
        others = [name for name in dict.fromkeys(names) if name not in (chosen.id, LOCAL_ID)]
        models = sorted(
            (self._catalog.find(name) for name in others), key=lambda m: is_open(m.provider)
        )
        return [*models, *self._last(chosen)]

    def _overridden(self, name: str, principal: Principal) -> Choice:
        model = self._catalog.find(name)
        missing = principal.missing(frozenset(model.entry.roles))
        if missing:
            raise Forbidden(
                Reason.REASON_ROLE_MISSING,
                f"choosing {name} takes a role that you lack",
                model=name,
                role=", ".join(sorted(missing)),
            )
        why = f"{name} answers because this conversation asks for it"
        return Choice(model, SelectionRule.SELECTION_RULE_OVERRIDE, why)

    def _by_mode(self, mode: Mode) -> Choice:
        model = self._catalog.find(self._routing.modes[mode])
        why = f"{model.id} answers in {mode} mode"
        return Choice(model, SelectionRule.SELECTION_RULE_MODE, why)

    def _last(self, chosen: Known) -> Iterator[Known]:
        if chosen.id != LOCAL_ID:
            yield self._catalog.find(LOCAL_ID)
