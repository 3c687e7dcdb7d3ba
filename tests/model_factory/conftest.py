"""A scripted provider, and factories whose models it plays."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing

import pytest
import pytest_asyncio

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from servers.model_factory.answer import Finished, Step, Text
from servers.model_factory.configuration import (
    BreakerEntry,
    Configuration,
    ModelEntry,
    ProviderEntry,
    Timeouts,
)
from servers.model_factory.configured import providers
from servers.model_factory.factory import ModelFactory
from servers.model_factory.generate import Chain
from servers.model_factory.prompting import Wanted
from servers.model_factory.retry import Backoff
from tests.upstream.server import Upstream

SHORT = Timeouts(connect=1.0, first_token=0.3, idle=0.3)
PATIENT = Timeouts(connect=10.0, first_token=10.0, idle=2.0)
"""For a machine that is busy."""


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """The scripted provider."""
    async with Upstream() as running:
        yield running


async def no_pause(_seconds: float) -> None:
    """Waits between tries take no time in tests."""
    await asyncio.sleep(0)


@pytest_asyncio.fixture
async def factory_of(upstream: Upstream) -> AsyncIterator[Callable[..., ModelFactory]]:
    """Makes factories with a provider for each kind, `openai` and `anthropic`, that both have the
    named models, and waits of no time between three tries."""
    made: list[ModelFactory] = []

    def make(
        *models: str | ModelEntry, failures: int = 50, timeouts: Timeouts = PATIENT
    ) -> ModelFactory:
        entries = tuple(m if isinstance(m, ModelEntry) else ModelEntry(id=m) for m in models)
        configuration = Configuration(
            providers={
                "openai": ProviderEntry(
                    kind="openai", base_url=upstream.base_url, timeouts=timeouts, models=entries
                ),
                "anthropic": ProviderEntry(
                    kind="anthropic", base_url=upstream.root, timeouts=timeouts, models=entries
                ),
            },
            breaker=BreakerEntry(failures=failures),
        )
        chain = Chain(Backoff(3, 0.25, 4.0), pause=no_pause)
        made.append(ModelFactory(configuration, providers(configuration), chain))
        return made[-1]

    yield make
    for factory in made:
        await factory.close()


def says(*contents: str) -> list[PromptMessage]:
    """A prompt: the system's message, then the user's and the assistant's in turns."""
    roles = [MessageRole.MESSAGE_ROLE_SYSTEM]
    roles += [MessageRole.MESSAGE_ROLE_USER, MessageRole.MESSAGE_ROLE_ASSISTANT] * len(contents)
    return [PromptMessage(role=r, content=c) for r, c in zip(roles, contents, strict=False)]


WANTED = Wanted(says("Be brief.", "Hello?"), 0, 0.7)


async def steps_of(
    factory: ModelFactory,
    model: str,
    *fallbacks: str,
    wanted: Wanted = WANTED,
    seen: list[Step] | None = None,
) -> list[Step]:
    """Every step of an answer; put into `seen` as they come, for answers that fail."""
    found = [] if seen is None else seen
    async with aclosing(factory.generate(model, fallbacks, wanted)) as steps:
        async for step in steps:
            found.append(step)
    return found


def text_of(steps: Iterable[Step]) -> str:
    """The text of an answer."""
    return "".join(step.text for step in steps if isinstance(step, Text))


def end_of(steps: list[Step]) -> Finished:
    """The last step, which says that the answer is complete."""
    assert isinstance(steps[-1], Finished)
    return steps[-1]


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    """Each kind of remote provider."""
    return str(request.param)
