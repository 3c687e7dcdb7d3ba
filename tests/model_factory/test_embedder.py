"""The real embedding model."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from servers.model_factory.configuration import Configuration
from servers.model_factory.embedder import Embed, Embedder
from servers.model_factory.factory import ModelFactory
from servers.runtime.errors import Unavailable
from servers.runtime.weights import WeightsWrong

TEXTS = ["The ships came home before the storm.", "", "Ein Satz.", "x" * 50_000, "世界 😀"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def embedder() -> AsyncIterator[Embedder]:
    """One embedder for all tests."""
    made = Embedder()
    yield made
    await made.close()


def likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_every_vector_has_384_values_and_the_length_1(embedder: Embedder) -> None:
    for vector in await embedder.embed(TEXTS):
        assert len(vector) == 384
        assert likeness(vector, vector) == pytest.approx(1.0, abs=1e-5)


async def test_a_texts_bytes_do_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    together = await embedder.embed(TEXTS)
    other = Embedder()
    alone = [(await other.embed([text]))[0] for text in reversed(TEXTS)]
    assert together == alone[::-1]
    await other.close()


async def test_a_text_is_computed_once() -> None:
    """Whoever asks again is given the same vector."""
    computed: list[str] = []

    def compute(text: str) -> list[float]:
        computed.append(text)
        return [float(len(computed))]

    embedder = Embedder(lambda: compute)
    assert await embedder.embed(["ships", "boats", "ships"]) == [[1.0], [2.0], [1.0]]
    assert await embedder.embed(["boats"]) == [[2.0]]
    assert computed == ["ships", "boats"]
    await embedder.close()


async def test_another_embedder_gives_the_same_bytes(embedder: Embedder) -> None:
    other = Embedder()
    assert await other.embed(TEXTS) == await embedder.embed(TEXTS)
    await other.close()


async def test_what_means_the_same_is_near(embedder: Embedder) -> None:
    ships, boats, cars = await embedder.embed(
        [TEXTS[0], "The boats were back in port ahead of the bad weather.", "I like fast cars."]
    )
    assert likeness(ships, boats) > 0.5 > likeness(ships, cars)


async def test_callers_take_turns(embedder: Embedder) -> None:
    many = asyncio.create_task(embedder.embed([f"a long row of {n} words" for n in range(256)]))
    await asyncio.sleep(0)
    await embedder.embed(["one"])
    assert not many.done()
    many.cancel()
    await asyncio.gather(many, return_exceptions=True)


async def test_a_model_that_does_not_load_is_unavailable_and_tried_again() -> None:
    tries: list[int] = []

    def load() -> Embed:
        tries.append(1)
        raise WeightsWrong("model.onnx is not installed")

    factory = ModelFactory(Configuration(), {}, embedder=Embedder(load))
    for _ in range(2):
        with pytest.raises(Unavailable, match="embedding model"):
            await factory.embed(["ships"])
    assert len(tries) == 2
    await factory.close()
