"""llama.cpp in this process: loads the local model, answers on a port of 127.0.0.1, ends cleanly.

Its own threads do the work and speak HTTP themselves, so that a token costs this process' event
loop no more than one from a remote provider, and a closed connection stops the work of its slot.
Measured with SmolLM2-135M Q4_1: loads in 0.3 to 0.8 s and 300 MB (of which 190 MB are the cache of
4 x 2048 tokens in f16; in q8_0 it would be half, but a long prompt takes 1.7 times as long), reads
170 to 220 and writes 40 to 130 tokens a second on one thread.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import aiohttp

from servers.model_factory.configuration import SMOLLM2, LocalEntry
from servers.runtime.weights import Weights, checked

BATCH = 64
"""Tokens of a prompt that are read between two looks at whether anybody still listens."""

HTTP_THREADS_OVER = 2
"""Threads beyond one a slot: for callers who wait, and for asking whether it is idle."""

IDLE_SECONDS = 5.0
"""How long to wait at the end for slots to notice that their callers are gone."""


class LocalRuntime:
    """The loaded model. Loading and ending hold the interpreter's lock for less than a second."""

    def __init__(self, entry: LocalEntry, file: Weights) -> None:
        self._entry = entry
        self._file = file
        self._held: list[Any] = []
        self.key = secrets.token_urlsafe(32)
        self.address = ""

    async def load(self) -> None:
        """Loads the model; WeightsWrong if its file is missing or another one."""
        path = await asyncio.to_thread(checked, self._file)
        await asyncio.to_thread(self._load, path)

    async def close(self) -> None:
        """Ends it. Its destructor waits, with the interpreter's lock held, for slots that still
        work: so callers have to be gone before, and the slots are given time to notice."""
        if self._held:
            await self._until_idle()
            await asyncio.to_thread(self._held.clear)

    async def working(self) -> int:
        """Number of requests that are being answered or wait."""
        return requests_in(await self.metrics())

    async def metrics(self) -> str:
        """llama.cpp's own metrics, in Prometheus' format."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"{self.address}/metrics", headers={"authorization": f"Bearer {self.key}"}
            ) as response,
        ):
            return await response.text()

    def _load(self, path: Path) -> None:
        import xllamacpp

        server = xllamacpp.Server(parameters(xllamacpp, path, self._entry, self.key))
        self._held.append(server)
        self.address = server.listening_address

    async def _until_idle(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                while await self.working():  # noqa: ASYNC110  # llama.cpp has nothing to wait for
                    await asyncio.sleep(0.05)
        except (TimeoutError, aiohttp.ClientError):
            return


def parameters(llama: Any, path: Path, entry: LocalEntry, key: str) -> Any:
    """Parameters of llama.cpp."""
    p = llama.CommonParams()
    p.model.path = str(path)
    p.n_parallel = entry.slots
    p.n_ctx = entry.slots * SMOLLM2.context_window
    p.kv_unified = True
    p.n_batch = p.n_ubatch = BATCH
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = entry.threads
    p.n_gpu_layers = 0
    p.fit_params = False
    # Prompts of ended conversations are kept in their slots, not in memory besides (8 GiB unless
    # said otherwise).
    p.cache_ram_mib = 0
    p.n_ctx_checkpoints = 0
    p.hostnames = ["127.0.0.1"]
    p.api_keys = [key]
    p.n_threads_http = entry.slots + HTTP_THREADS_OVER
    p.ui = False
    p.endpoint_slots = False
    p.endpoint_metrics = True
    # Its log would carry prompts.
    p.verbosity = -1
    return p


def requests_in(metrics: str) -> int:
    """Requests under way, as llama.cpp's metrics tell them."""
    names = ("llamacpp:requests_processing ", "llamacpp:requests_deferred ")
    lines = (line for line in metrics.splitlines() if line.startswith(names))
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)
