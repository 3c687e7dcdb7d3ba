"""What is counted of the hooks."""

from prometheus_client import Counter, Gauge, Histogram

HOOKS = Counter("kari_chat_file_hooks_total", "Hooks that ended.", ["hook", "verdict"])
SECONDS = Histogram(
    "kari_chat_file_hook_seconds",
    "How long hooks took.",
    ["hook"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
FILES = Counter("kari_chat_files_looked_at_total", "Files by what became of them.", ["state"])
GIVEN_UP = Counter(
    "kari_chat_files_given_up_total", "Files of which a hook ended process after process."
)
UNDER_WAY = Gauge("kari_chat_files_under_way", "Files that are being looked at.")
AGAIN = Counter("kari_chat_file_hook_retries_total", "Hooks that had to be tried again.", ["hook"])
LATE = Counter(
    "kari_chat_file_hooks_kept_late_total", "Times that what hooks said could not be kept at once."
)
FAILURES = Counter(
    "kari_chat_file_pipeline_failures_total", "Files that were put down unfinished.", ["reason"]
)
