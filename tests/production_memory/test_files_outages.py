"""The text of files while stores are away: nothing that was acknowledged is lost."""

from pathlib import Path

from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting, until
from tests.production_memory.embedder import Embedder
from tests.production_memory.filed import chunks_of, dropped, indexed
from tests.production_memory.memory import Memory
from tests.production_memory.vectors import vectors_of


async def test_without_milvus_files_are_kept_and_dropped_and_it_follows(tmp_path: Path) -> None:
    """A dropped file is gone for everybody at once, its vectors as soon as Milvus is back."""
    embedder = Embedder()
    async with BreakableStores(tmp_path) as stores:
        settings, others = stores.settings(), [embedder.hosted()]
        async with hosting(settings, "production_memory", others=others) as wiring:
            memory = Memory(wiring, embedder, Somebody())
            with memory.somebody.acts(wiring):

                async def vectors() -> list[str]:
                    tenant_id = memory.somebody.tenant_id
                    return sorted(await vectors_of(settings, tenant_id, "file_chunks"))

                first = await indexed(wiring, "whales")
                await until(vectors)
                await stores.kill("milvus")
                second = await indexed(wiring, "ships")
                assert await dropped(wiring, first) == 1
                assert (await chunks_of(wiring, first)).total == 0
                await stores.start("milvus")

                async def followed() -> bool:
                    return await vectors() == [f"{second}:000000"]

                await until(followed, 60)
