"""Fixtures that many tests share: real stores, migrated, once a session."""

import asyncio
import gc
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
from xdist.scheduler import LoadScopeScheduling

from cli.migrate import migrate
from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings

# The machine's own settings must not leak into tests.
for name in [n for n in os.environ if n.startswith("KARI_")]:
    del os.environ[name]


# How long an example takes says nothing on a machine that others use too.
hypothesis.settings.register_profile(
    "kari", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("kari")


def report(_line: str) -> None:
    """Nobody reads along while tests start their stores."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStores]:
    """PostgreSQL with the schema, Valkey and Milvus Lite, all embedded."""
    with DataFolder(tmp_path_factory.mktemp("stores")) as folder:
        async with EmbeddedStores(folder, set(Store), report) as running:
            assert running.postgres_url is not None
            await migrate(running.postgres_url, report)
            yield running


@pytest.fixture
def settings(stores: EmbeddedStores, tmp_path: Path) -> Settings:
    """Settings that name the stores of the session, with a data folder and keys of their own."""
    made = Settings(
        data=tmp_path / "data",
        postgres_url=stores.postgres_url,
        redis_url=stores.redis_url,
        milvus_url=stores.milvus_url,
        milvus_token=stores.milvus_token,
    )
    ensure_keys(made)
    return made


LOOPS: list[asyncio.AbstractEventLoop] = []
"""The one in which this session's tests run, once it does."""


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def noted_loop() -> None:
    """See LOOPS."""
    LOOPS.append(asyncio.get_running_loop())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Commands that run in this process (`asyncio.run`) leave none behind, and channels that
    fixtures make want one."""
    if LOOPS:
        asyncio.set_event_loop(LOOPS[0])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are no garbage. Looking through them again and again costs a third of the
    time that it takes to collect them, and a second each time later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


FLOW = "tests/flow"
OWN = (
    "test_edges",
    "test_local",
    "test_outages",
    "test_restart",
    "test_workers",
)
"""Files of FLOW that start a Kari of their own; the others share one for each placement."""

SPREAD = re.compile(r"[\[-]spread[\]-]")

PACKAGES = ("tests/capsules", "tests/capsules/built_in", "tests/audit")
"""Folders whose tests share servers and stores, which then start once."""
ALONE = ("test_whole",)
"""Files in them that share nothing."""

LONGEST = (
    "mesh, spread",
    "tests/flow/test_restart.py",
    "mesh, together",
    "tests/capsules",
    "tests/flow/test_edges.py",
    "tests/capsules/test_whole.py",
    "tests/flow/test_workers.py",
    "tests/summarizer/test_outages.py",
    "tests/code_execution/test_hostile.py",
    "tests/multimedia/test_hostile_media.py",
    "tests/production_memory/test_killed.py",
    "tests/flow/test_outages.py",
    "tests/flow/test_local.py",
    "tests/chat_orchestrator/test_approval.py",
    "tests/chat_orchestrator/test_images.py",
    "tests/embedded/test_milvus_search.py",
    "tests/conversation_search/test_outages.py",
    "tests/gateway/test_page.py",
)
"""Scopes of more than half a minute, about the longest first. The others follow by their number of
tests."""


def scope_of(test: str) -> str:
    """What one worker runs: a file, or everything that shares a running mesh, or a folder's
    servers, which then start once."""
    file = Path(test.partition("::")[0])
    folder = file.parent.as_posix()
    if folder == FLOW and file.stem not in OWN:
        return "mesh, spread" if SPREAD.search(test) else "mesh, together"
    return folder if folder in PACKAGES and file.stem not in ALONE else str(file)


class BySystem(LoadScopeScheduling):  # type: ignore[misc]
    """For runs on several cores; see `scope_of`."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest scopes begin first, so that none is left that runs on alone at the end."""
    scopes = Counter(scope_of(item.nodeid) for item in items)
    ranks = {scope: n for n, scope in enumerate(LONGEST)}

    def place(item: pytest.Item) -> tuple[int, int, str]:
        scope = scope_of(item.nodeid)
        return ranks.get(scope, len(ranks)), -scopes[scope], scope

    items.sort(key=place)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Long bytes are no names; those of packed files even tell the time, and the workers have to
    agree on the names of tests."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> BySystem:
    """How tests are shared out."""
    return BySystem(config, log)
