"""Capsules that lie in their folder before the server starts: good ones and bad ones."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.capsules.workshop import handler, manifest, write


class Shelved(NamedTuple):
    """A capsule: the body of its `run`, further lines of its manifest, further files."""

    body: str
    more: str = ""
    seconds: int = 20
    policy: str = ""
    files: Any = None
    head: str = ""


MODEL, TOOLS, ALL = (
    'capabilities = ["model"]\nmax_tokens = 50\ntemperature = 0.2',
    'capabilities = ["tools"]\nallowed_tools = ["calculator"]',
    'capabilities = ["model", "memory", "search", "history", "tools"]',
)

SHELF = {
    "hello": Shelved(
        """
await skill.progress("half way", 0.5)
await skill.write("one ")
await skill.write("two")
skill.warn("a warning")
skill.measure("count", 3)
from .words import WORD
from pathlib import Path
data = Path(__file__).with_name("data.txt").read_text()
text = skill.render("greeting", who=skill.input.get("who", "you"))
return {"text": text, "word": WORD, "data": data, "conversation": skill.conversation_id}
""",
        'prompts = ["greeting"]\nresult_schema = "result.json"',
        files={
            "prompts__greeting_j2": "Hello {{ who }}!",
            "words_py": 'WORD = "sibling"\n',
            "data_txt": "read",
            "result_json": '{"type": "object", "required": ["text"]}',
        },
    ),
    "writer": Shelved(
        """
model = await skill.model()
text = await skill.generate("Say something.", system="Be short.", max_tokens=900, temperature=1.5)
pieces = [piece async for piece in skill.stream("Again.", temperature=0.1, max_tokens=7)]
return {"model": model.id, "capable": model.capable, "text": text, "pieces": pieces}
""",
        MODEL,
    ),
    "reckoner": Shelved(
        """
tools = await skill.tools()
given = await skill.call_tool("calculator", {"expression": "6*7"})
return {"tools": [tool["id"] for tool in tools], "given": given}
""",
        TOOLS,
    ),
    "undeclared_tool": Shelved(
        """
from servers.capsules.skill import SkillError
try:
    await skill.call_tool("time", {})
except SkillError as error:
    return {"caught": error.reason}
""",
        TOOLS,
    ),
    "undeclared_tool_uncaught": Shelved('return await skill.call_tool("time", {})', TOOLS),
    "wrong_arguments": Shelved('return await skill.call_tool("calculator", {"x": 1})', TOOLS),
    "no_capability": Shelved(
        """
from servers.capsules.skill import SkillError
found = []
for wish in (
    skill.model(), skill.generate("x"), skill.call_tool("calculator", {}), skill.tools(),
    skill.recall("x"), skill.search("x"), skill.history(), skill.manifest("turn_1"),
    skill.checkpoint({}),
):
    try:
        await wish
        found.append("done")
    except SkillError as error:
        found.append(error.reason)
return {"found": found}
"""
    ),
    "loop": Shelved("while True:\n    pass", seconds=1),
    "waiter": Shelved("import asyncio\nawait asyncio.sleep(600)"),
    "overruns": Shelved("import asyncio\nawait asyncio.sleep(600)", seconds=1),
    "sleeper": Shelved("import asyncio\nawait asyncio.sleep(600)", seconds=1),
    "stubborn": Shelved(
        """
import asyncio, signal
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        await asyncio.sleep(600)
    except BaseException:
        pass
""",
        seconds=1,
    ),
    "forker": Shelved(
        """
import os
made = 0
try:
    for _ in range(100):
        if os.fork() == 0:
            import time
            time.sleep(600)
        made += 1
except OSError as error:
    return {"made": made, "error": error.errno}
return {"made": made}
"""
    ),
    "flood": Shelved(
        """
import os
while True:
    os.write(2, b"x" * 65536)
""",
        seconds=15,
    ),
    "flood_of_messages": Shelved("while True:\n    skill.warn('x')", seconds=15),
    "flood_of_text": Shelved('return {"text": "x" * 3_000_000}'),
    "large_result": Shelved('return {"text": "x" * 1_500_000}'),
    "hoarder": Shelved("x = []\nwhile True:\n    x.append(bytearray(10_000_000))"),
    "dies": Shelved("import os\nos._exit(3)"),
    "raises": Shelved('raise ValueError("secret words")'),
    "no_result": Shelved("return None"),
    "no_json": Shelved("return {'x': object()}"),
    "not_a_number": Shelved("return {'x': float('nan')}"),
    "breaks_its_schema": Shelved(
        'return {"n": "one"}', "[result_schema]\nproperties.n.type='integer'"
    ),
    "forges_messages": Shelved(
        """
skill._line.say({"ask": 1, "call": "__init__", "arguments": {}})
skill._line.say({"ask": 2, "call": "recall", "arguments": {"self": 1}})
skill._line.say({"ask": [], "call": ["x"], "arguments": 7})
skill._line.say({"measure": "x", "value": "text"})
import os
os.write(skill._line._write, b"no json\\n")
import asyncio
await asyncio.sleep(10)
""",
    ),
    "half_a_character": Shelved(
        """
import asyncio, os
os.write(skill._line._write, b'{"result": {"a": "\\\\ud800"}}\\n')
await asyncio.sleep(10)
""",
    ),
    "half_a_character_raw": Shelved(
        """
import asyncio, os
os.write(skill._line._write, b'{"failed": "\\xed\\xa0\\x80"}\\n')
await asyncio.sleep(10)
""",
    ),
    "huge_measure": Shelved(
        """
import os
os.write(skill._line._write, b'{"measure": "x", "value": ' + b"9" * 400 + b"}\\n")
return {"measured": True}
""",
    ),
    "asks_without_a_prompt": Shelved(
        """
from servers.capsules.skill import SkillError
try:
    await skill._next(skill._put("stream"))
except SkillError as error:
    return {"caught": error.reason}
""",
    ),
    "many_at_once": Shelved(
        """
import asyncio
await asyncio.gather(*(skill.write("x" * 30_000) for _ in range(100)))
return {}
"""
    ),
    "too_many_at_once": Shelved(
        """
import asyncio
for _ in range(1000):
    skill._put("generate", prompt="x")
    skill._put("stream", prompt="x")
await asyncio.sleep(10)
""",
        MODEL,
    ),
    "looks_around": Shelved(
        """
import os, socket
found = {}
for path in ("/etc/passwd", "/proc/self/environ", "/root", "/home", "/work", "/tmp"):
    try:
        found[path] = len(os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError as error:
        found[path] = type(error).__name__
for path in ("/capsule/x", "/library/x", "/x", "/tmp/x", "/box/x"):
    try:
        open(path, "w").close()
        found[path] = "written"
    except OSError as error:
        found[path] = "refused"
try:
    socket.create_connection(("127.0.0.1", skill.input["port"]), 2).close()
    found["socket"] = "connected"
except OSError as error:
    found["socket"] = "refused"
found["environment"] = [name for name in os.environ if name.startswith("KARI")]
found["uid"] = os.getuid()
return found
"""
    ),
    "scratch": Shelved(
        """
with open("note.txt", "w") as file:
    file.write("x" * 1000)
import os
return {"size": os.path.getsize("note.txt"), "before": len(os.listdir("."))}
""",
        policy="allow_file_system_access = true",
    ),
    "networked": Shelved(
        """
import socket, urllib.error, urllib.request
found = {}
try:
    socket.create_connection(("127.0.0.1", skill.input["port"]), 5).close()
    found["direct"] = "connected"
except OSError as error:
    found["direct"] = type(error).__name__
for name, url in skill.input["urls"].items():
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found[name] = answer.read().decode()
    except urllib.error.HTTPError as error:
        found[name] = f"{error.code} {error.read().decode()}"
    except OSError as error:
        found[name] = str(error)
return found
""",
        policy="allow_network_access = true",
    ),
    "templates": Shelved(
        """
from servers.capsules.skill import SkillError
found = {"text": skill.render("show", value=skill.input["value"])}
for name in ("inner", "missing", "endless", "unknown"):
    try:
        found[name] = skill.render(name, value=[1])
    except SkillError as error:
        found[name] = error.message
return found
""",
        'prompts = ["show", "inner", "missing", "endless"]',
        files={
            "prompts__show_j2": "<{{ value }}>",
            "prompts__inner_j2": "\n{{ value.__class__.__mro__ }}",
            "prompts__missing_j2": "{{ nothing }}",
            "prompts__endless_j2": "{% for i in range(10 ** 9) %}x{% endfor %}",
        },
    ),
    "costly_template": Shelved(
        'return {"text": skill.render("costly")}',
        'prompts = ["costly"]',
        files={"prompts__costly_j2": "{{ 'a' * 300000000 }}"},
    ),
    "resumable": Shelved(
        """
done = skill.state or 0
while done < 3:
    done += 1
    await skill.checkpoint(done)
    if skill.input["stop_at"] == done and not skill.state:
        raise RuntimeError("stopped")
return {"done": done, "from": skill.state, "asked": skill.input["stop_at"]}
""",
        "resumable = true",
    ),
    "keeper": Shelved(
        """
import asyncio
if skill.state is None:
    await skill.checkpoint(1)
    await skill.progress("kept")
    await asyncio.sleep(skill.input["seconds"])
return {"from": skill.state}
""",
        "resumable = true",
        seconds=60,
    ),
    "large_state": Shelved('await skill.checkpoint("x" * 300_000)', "resumable = true"),
    "slow_then_done": Shelved(
        """
import asyncio
await skill.progress("begun")
await asyncio.sleep(skill.input.get("seconds", 600))
return {"version": 1}
"""
    ),
    "says_why": Shelved(
        """
from servers.capsules.skill import SkillError
raise SkillError("REASON_MODEL_TOO_SMALL", "this needs a capable model")
"""
    ),
    "for_admins": Shelved("return {}", 'required_roles = ["chat.config.edit"]'),
    "picky": Shelved(
        "return {}", "", files={"input_json": '{"type": "object", "required": ["n"]}'}
    ),
    "tired": Shelved('raise ValueError("again")'),
    # What cannot be run at all.
    "imports_nothing": Shelved("return {}", head="import json\nimport not_there\n"),
    "imports_jinja": Shelved("return {}", head="import numpy\n"),
    "fails_at_import": Shelved("return {}", head='raise ValueError("secret words")\n'),
    "no_such_filter": Shelved(
        "return {}",
        'prompts = ["fine", "odd"]',
        files={"prompts__fine_j2": "fine", "prompts__odd_j2": "\n{{ x | nope }}"},
    ),
    "dies_at_import": Shelved("return {}", head="import os\nos._exit(0)\n"),
    "asks_at_import": Shelved(
        "return {}",
        head='import os\nos.write(5, b"x")\nprint("on stderr")\nos.write(1, b"{}\\n")\n',
    ),
}


def fill(folder: Path) -> None:
    """Writes all of them."""
    for name, each in SHELF.items():
        text = manifest(name, each.more, seconds=each.seconds, policy=each.policy)
        if "result_schema]" in each.more:
            text = manifest(name, "", seconds=each.seconds, policy=each.policy) + each.more
        if "input_json" in (each.files or {}):
            text = 'input_schema = "input.json"\n' + text.replace(
                '[input_schema]\ntype = "object"\n', ""
            )
        write(
            folder / name,
            manifest=text,
            handler=each.head + handler(each.body),
            **(each.files or {}),
        )
