"""What operators see of models and providers."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)

SELECTIONS = Counter(
    "kari_chat_model_selections_total", "Models chosen, by the rule that chose.", ("model", "rule")
)
ATTEMPTS = Counter(
    "kari_chat_model_attempts_total",
    "Requests to providers by outcome: ok, cancelled, or how it failed.",
    ("model", "outcome"),
)
SWITCHES = Counter(
    "kari_chat_model_switches_total",
    "Answers handed from a model that failed to the next one.",
    ("from_model", "to_model", "kind"),
)
FIRST_TEXT = Histogram(
    "kari_chat_model_first_text_seconds",
    "From asking a model to its first text.",
    ("model",),
    buckets=_SECONDS,
)
DURATION = Histogram(
    "kari_chat_model_duration_seconds",
    "From asking a model to the end of its complete answer.",
    ("model",),
    buckets=_SECONDS,
)
TOKENS = Counter(
    "kari_chat_model_tokens_total",
    "Tokens read (prompt) and written (completion).",
    ("model", "direction"),
)
TOOL_CALLS = Counter(
    "kari_chat_model_tool_calls_total",
    "Calls of tools that models asked for: offered, unknown (the model made the tool up), or cut "
    "(the answer ended before the call did, so it is not passed on).",
    ("model", "kind"),
)
BREAKER = Gauge(
    "kari_chat_model_breaker_state",
    "Circuit breaker of a provider: 0 closed, 1 half open, 2 open.",
    ("provider",),
)
EMBEDDED = Counter("kari_chat_model_embedded_texts_total", "Texts embedded.")
EMBEDDED_BEFORE = Counter(
    "kari_chat_model_embeddings_known_total", "Texts whose vector was still known."
)
EMBED_SECONDS = Histogram(
    "kari_chat_model_embed_seconds",
    "Time to embed one text, waiting excluded.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
