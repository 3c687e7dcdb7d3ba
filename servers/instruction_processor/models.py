"""The models that a user may choose, asked of the model factory."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kari.conversation_models.v1.model_pb2 import Model
from kari.errors.v1.errors_pb2 import Reason
from kari.model_factory.v1.model_factory_pb2 import ListModelsRequest
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

PAGE = 200


class Models:
    """What there is to choose from."""

    def __init__(self, factory: "ModelFactoryServiceAsyncStub") -> None:
        self._factory = factory

    async def permitted(self, who: Principal) -> Sequence[Model]:
        """The models whose roles the user has, by id."""
        return [model for model in await self._all() if not _missing(model, who)]

    async def require(self, name: str, who: Principal) -> None:
        """NotFound, with the nearest names, if there is no such model; Forbidden if the user lacks
        a role of it."""
        models = await self._all()
        named = next((model for model in models if model.id == name), None)
        if named is None:
            raise _unknown(name, [model.id for model in models if not _missing(model, who)])
        missing = ", ".join(sorted(_missing(named, who)))
        if missing:
            raise Forbidden(
                Reason.REASON_ROLE_MISSING,
                f"choosing that model needs the role {missing}; `/model` lists those you may",
                role=missing,
                command="model",
            )

    async def _all(self) -> list[Model]:
        models, token = list[Model](), ""
        while True:
            request = ListModelsRequest(page_size=PAGE, page_token=token)
            page = await self._factory.ListModels(request)
            models += page.models
            token = page.next_page_token
            if not token:
                return models


def _missing(model: Model, who: Principal) -> frozenset[str]:
    return who.missing(frozenset(model.roles))


def _unknown(name: str, permitted: Sequence[str]) -> NotFound:
    """It names models that there are, never what was typed: that may be private."""
    near = get_close_matches(name, permitted, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(f'`{each}`' for each in near)}? " if near else ""
    return NotFound(
        Reason.REASON_MODEL_NOT_FOUND,
        f"there is no such model; {hint}`/model` lists those there are",
        near=" ".join(near),
        command="model",
    )
