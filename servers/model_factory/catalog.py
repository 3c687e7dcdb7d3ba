"""The models that there are, by `provider/model`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from kari.conversation_models.v1.model_pb2 import Model, Tokenizer
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory.configuration import Configuration, ModelEntry, entries
from servers.runtime.errors import NotFound

_TOKENIZERS = {
    "smollm2": Tokenizer.TOKENIZER_SMOLLM2,
    "cl100k": Tokenizer.TOKENIZER_CL100K,
    "o200k": Tokenizer.TOKENIZER_O200K,
}


@dataclass(frozen=True, slots=True)
class Known:
    """A model that there is. `id` is `provider/model`, `entry.id` its name at the provider."""

    id: str
    provider: str
    entry: ModelEntry

    @property
    def tokenizer(self) -> Tokenizer.ValueType:
        """Tokenizer that counts for it."""
        return _TOKENIZERS[self.entry.tokenizer]

    def described(self, *, available: bool) -> Model:
        """The model as the contract describes it."""
        return Model(
            id=self.id,
            provider=self.provider,
            context_window=self.entry.context_window,
            max_output_tokens=self.entry.max_output_tokens,
            tokenizer=self.tokenizer,
            roles=self.entry.roles,
            available=available,
            calls_tools=self.entry.calls_tools,
            sees=self.entry.sees,
        )


class Catalog:
    """Every model, in the order of the configuration, the local one last."""

    def __init__(self, configuration: Configuration) -> None:
        self._known: Mapping[str, Known] = {
            name: Known(name, name.partition("/")[0], entry)
            for name, entry in entries(configuration).items()
        }

    def get(self, name: str) -> Known | None:
        """The model of that name, if there is one."""
        return self._known.get(name)

    def find(self, name: str) -> Known:
        """The model of that name; NotFound lists the known ones."""
        known = self._known.get(name)
        if known is None:
            raise NotFound(
                Reason.REASON_MODEL_NOT_FOUND,
                f"there is no model `{name}`; `/model` lists those there are",
                model=name,
                known=", ".join(self.names()),
            )
        return known

    def names(self) -> list[str]:
        """All names, in order."""
        return list(self._known)

    def page(self, after: str, size: int) -> list[Known]:
        """The next `size` models by name, after the one of that name."""
        return [self._known[name] for name in sorted(self._known) if name > after][:size]
