"""What NeuroVault counts. The first three are the flow contract's."""

from prometheus_client import Counter, Histogram

RETRIEVALS = Counter(
    "neurovault_retrieval_total",
    "Recalls of memories, by the kind asked for (`any` if several) and how they ended: `found`, "
    "`nothing`, `empty` (the owner has none) or `unavailable`.",
    ("memory_type", "status"),
)
RETRIEVAL_SECONDS = Histogram(
    "neurovault_retrieval_latency_seconds",
    "Time of one recall that was answered.",
    ("memory_type",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
STORED = Counter("neurovault_storage_total", "Memories that were stored.", ("memory_type",))
REFUSALS = Counter(
    "neurovault_refusals_total",
    "What the write gate did not store, by its reason: `trivial`, `duplicate`, "
    "`repeats_assistant` or `ungrounded` (a model's, which is not in the message).",
    ("reason",),
)
CONTRADICTIONS = Counter(
    "neurovault_contradictions_total",
    "Memories that no longer hold: something newer took their place.",
)
FADED = Counter(
    "neurovault_faded_total",
    "Memories that became others by themselves: `consolidated` or `archived`.",
    ("change",),
)
FORGOTTEN = Counter("neurovault_forgotten_total", "Memories that were erased, all versions.")
MODEL_ANSWERS = Counter(
    "neurovault_model_answers_total",
    "Answers of the model that extracts facts: `read`, `unreadable` or `failed`.",
    ("outcome",),
)
GATE_BLIND = Counter(
    "neurovault_gate_blind_total",
    "Statements that were compared by their words alone: Milvus or the embedder was away.",
)
