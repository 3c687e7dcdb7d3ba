"""A whole Kari whose stores fail under it: chat always answers, and names what it did without."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from pymilvus import MilvusClient

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest, SearchResponse
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.search_pb2 import SearchWay
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from servers.runtime.milvus import COLLECTION
from tests.breakable_stores import BreakableStores
from tests.flow.conftest import models_file
from tests.hosting import until
from tests.running import Kari
from tests.runtime.door import Door
from tests.socket_client import SocketClient, login, opened
from tests.upstream.server import Upstream

WORDS, VECTORS = SearchWay.SEARCH_WAY_FULL_TEXT, SearchWay.SEARCH_WAY_VECTORS
NO_MEANING = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")


@dataclass(frozen=True)
class House:
    """A running Kari, its stores, the door that Milvus is behind, a token of the demo user."""

    kari: Kari
    stores: BreakableStores
    milvus: Door
    token: str

    async def search(self, query: str, **fields: object) -> SearchResponse:
        """What the hub finds for the demo user."""
        async with grpc.aio.insecure_channel(self.kari.address("chat_hub")) as channel:
            request = SearchRequest(query=query, **fields)  # type: ignore[arg-type]
            header = ("authorization", f"Bearer {self.token}")
            found: SearchResponse = await ChatHubServiceStub(channel).Search(
                request, metadata=[header]
            )
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[House]:
    """Everything is well when a test begins, and it leaves it so."""
    folder: Path = tmp_path_factory.mktemp("outages")
    async with BreakableStores(folder) as stores, Door(stores.milvus.url) as milvus:
        kari = Kari.at(
            folder / "data",
            KARI_MODELS_FILE=str(models_file(folder, upstream)),
            KARI_POSTGRES_URL=stores.postgres.url,
            KARI_REDIS_URL=stores.redis.url,
            KARI_MILVUS_URL=milvus.url,
            KARI_MILVUS_TOKEN=stores.milvus.token,
        )
        await kari.start()
        yield House(kari, stores, milvus, await login(kari))
        assert await kari.stop() == 0


@pytest_asyncio.fixture
async def client(house: House) -> AsyncIterator[SocketClient]:
    """A socket of the demo user."""
    async with opened(house.kari, house.token) as socket:
        yield socket


async def found_by_meaning(house: House, query: str, text: str) -> None:
    """Returns when a message is among the nearest of a query."""

    async def there() -> bool:
        found = await house.search(query, way=VECTORS)
        return text in [result.content for result in found.results]

    await until(there, 60)


def missing(events: list[TurnEvent]) -> set[int]:
    """Features that a turn did without."""
    return {event.degraded.feature for event in events if event.HasField("degraded")}


async def test_a_slow_milvus_costs_meaning_and_nothing_else(
    house: House, client: SocketClient
) -> None:
    """Turns are answered, words are found, and it is said; when it is quick again all is there."""
    await client.turn("the gardener waters tulips")
    await found_by_meaning(house, "flowers", "the gardener waters tulips")
    house.milvus.delay = 10.0
    _, events = await client.turn("is anybody there")
    found = await house.search("tulips")
    house.milvus.delay = 0.0
    assert events[-1].HasField("completed")
    assert found.results[0].content == "the gardener waters tulips"
    assert list(found.degradations) == [NO_MEANING]
    await found_by_meaning(house, "flowers", "the gardener waters tulips")


async def test_a_milvus_that_lost_everything_is_filled_again(
    house: House, client: SocketClient
) -> None:
    """The collection is dropped while the system serves: words are found, new messages by meaning
    too, and old ones once they are indexed anew."""
    await client.turn("the violinist tunes her strings")
    await found_by_meaning(house, "musician", "the violinist tunes her strings")
    await asyncio.to_thread(drop_collection, house.stores)
    _, events = await client.turn("the baker kneads dough")
    assert events[-1].HasField("completed")
    assert (await house.search("violinist")).results[0].content.startswith("the violinist")
    await found_by_meaning(house, "bread", "the baker kneads dough")
    code, output = await house.kari.command("reindex")
    assert code == 0, output
    await found_by_meaning(house, "musician", "the violinist tunes her strings")


def drop_collection(stores: BreakableStores) -> None:
    """As an operator may by mistake."""
    client = MilvusClient(uri=stores.milvus.url, token=stores.milvus.token, timeout=10)
    client.drop_collection(COLLECTION)
    client.close()


async def test_without_redis_turns_are_answered_and_say_what_is_missing(
    house: House, client: SocketClient
) -> None:
    """Killed and hanging; with the thread from Postgres."""
    ack, _ = await client.turn("my word is zeppelin")
    await house.stores.kill("redis")
    _, gone = await client.turn("which word", ack.conversation_id)
    found = await house.search("zeppelin", way=WORDS)
    await house.stores.start("redis")
    house.stores.freeze("redis")
    _, hanging = await client.turn("and now", ack.conversation_id)
    house.stores.thaw("redis")
    for events in (gone, hanging):
        assert events[-1].HasField("completed")
        assert Feature.FEATURE_SESSION_BUFFER in missing(events)
    assert found.results[0].content == "my word is zeppelin"


async def test_without_milvus_turns_are_answered(house: House, client: SocketClient) -> None:
    """And what was said meanwhile is found by meaning when it is back."""
    await house.stores.kill("milvus")
    _, events = await client.turn("the captain steers the ship")
    found = await house.search("captain")
    await house.stores.start("milvus")
    assert events[-1].HasField("completed")
    assert found.results[0].content == "the captain steers the ship"
    assert list(found.degradations) == [NO_MEANING]
    await found_by_meaning(house, "vessel at sea", "the captain steers the ship")
