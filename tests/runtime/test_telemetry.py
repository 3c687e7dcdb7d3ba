"""Logs: one JSON object a line, with the call's id, and nothing that is nobody's business."""

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import logging, structlog
from servers.runtime.call import Call, Principal, enter
from servers.runtime.telemetry import configure_logging

def fail(password):
    raise ValueError("a defect")

configure_logging("info")
who = Principal("user_1", "tenant_1", frozenset(), token="hunter2")
enter(Call("my-id", principal=who, turn_id="turn_1"))
log = structlog.get_logger("kari.test")
log.debug("not asked for")
log.info("ours", number=1)
logging.getLogger("theirs").warning("of a library, %s", "formatted")
try:
    fail("hunter2")
except ValueError as error:
    log.error("failed", exc_info=error, who=who)
try:
    fail("hunter2")
except ValueError:
    logging.getLogger("theirs").exception("failed too")
"""


def logged() -> list[dict[str, Any]]:
    """What a process of its own says on stderr."""
    argv = [sys.executable, "-c", SCRIPT]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stderr
    return [json.loads(line) for line in said.splitlines()]


def test_logs_are_json_with_the_call_s_id_tenant_and_turn() -> None:
    """Those of libraries too; tracebacks without the values of variables."""
    lines = logged()
    ours, theirs, failed, failed_too = lines
    for line in lines:
        assert line["correlation_id"] == "my-id"
        assert (line["tenant"], line["turn"]) == ("tenant_1", "turn_1")
        assert line["timestamp"].endswith("Z")
    assert (ours["event"], ours["level"], ours["number"]) == ("ours", "info", 1)
    assert (theirs["event"], theirs["logger"]) == ("of a library, formatted", "theirs")
    for line in (failed, failed_too):
        (exception,) = line["exception"]
        assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "a defect")
        assert exception["frames"][-1]["name"] == "fail"
        assert "hunter2" not in json.dumps(line)


FULL = """
import logging, sys, structlog
from prometheus_client import REGISTRY
from servers.runtime.telemetry import configure_logging

sys.stderr = open("/dev/full", "w")
configure_logging("info")
structlog.get_logger("kari.test").info("ours")
logging.getLogger("theirs").warning("of a library")
print(REGISTRY.get_sample_value("kari_chat_log_lines_lost_total"))
sys.stderr.detach()
"""


def test_a_line_that_a_full_disk_does_not_take_is_counted_and_stops_nobody() -> None:
    """Ours and those of libraries."""
    argv = [sys.executable, "-c", FULL]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "2.0\n", done
