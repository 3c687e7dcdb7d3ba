"""Where a turn's time went, by the metrics that the servers export."""

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.running import Kari

Exported = dict[tuple[str, str], float]
"""Sums and counts of histograms, by sample and label."""

TIMES = {
    "kari_chat_latency_seconds": "",
    "kari_chat_orchestration_latency_seconds": "stage",
    "kari_chat_request_latency_seconds": "module",
    "kari_chat_memory_write_latency_seconds": "target",
    "kari_chat_memory_retrieval_latency_seconds": "source",
    "kari_chat_stream_latency_seconds": "",
    "kari_chat_model_first_text_seconds": "",
    "kari_chat_model_duration_seconds": "",
    "kari_chat_model_embed_seconds": "",
}
"""Histograms that say where time goes, and the label that tells their parts apart."""


async def scraped(kari: Kari) -> Exported:
    """The sums and counts of every process."""
    urls = kari.metrics_urls()
    found: Exported = {}
    for text in await asyncio.gather(*(asyncio.to_thread(_fetched, url) for url in urls)):
        for key, value in sums(text).items():
            found[key] = found.get(key, 0.0) + value
    return found


def sums(text: str) -> Exported:
    """The sums and counts in a page of metrics."""
    found: Exported = {}
    for family in text_string_to_metric_families(text):
        if family.name not in TIMES:
            continue
        for sample in family.samples:
            kind = sample.name.removeprefix(family.name)
            if kind in ("_sum", "_count"):
                key = (f"{family.name}{kind}", sample.labels.get(TIMES[family.name], ""))
                found[key] = found.get(key, 0.0) + sample.value
    return found


def stages(before: Exported, after: Exported) -> dict[str, float]:
    """Mean milliseconds of each stage between two looks, by `metric label`."""
    found: dict[str, float] = {}
    for (name, label), total in after.items():
        if not name.endswith("_sum"):
            continue
        counts = (name.removesuffix("_sum") + "_count", label)
        count = after[counts] - before.get(counts, 0.0)
        if count:
            short = name.removeprefix("kari_chat_").removesuffix("_seconds_sum")
            mean = (total - before.get((name, label), 0.0)) / count
            found[f"{short} {label}".strip()] = mean * 1000
    return found


def _fetched(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
    return text
