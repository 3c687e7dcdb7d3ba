"""What is wrong with a folder is told by file and field, so that whoever wrote it finds it."""

import pytest

from servers.capsules.manifest import BrokenCapsule, Manifest, manifest_of
from servers.capsules.version import check_handler

GOOD = """\
id = "capsule.good"
name = "Good"
version = "1.0.0"
description = "Does good."
type = "utility"
[input_schema]
type = "object"
"""


def read(text: str, **files: bytes) -> Manifest:
    """The manifest of a folder with a handler and other files."""
    return manifest_of({"capsule.toml": text.encode(), "handler.py": b"", **files})


def test_a_manifest_says_what_it_does_not_have_to() -> None:
    """No rights, and little time."""
    manifest = read(GOOD)
    assert (manifest.capabilities, manifest.allowed_tools, manifest.required_roles) == ([], [], [])
    policy = manifest.security_policy
    assert (policy.allow_network_access, policy.allow_file_system_access) == (False, False)
    assert (policy.max_execution_time, manifest.auditable, manifest.resumable) == (60, True, False)


BREAKAGES = {
    "no TOML": ("id = \n" + GOOD, "capsule.toml line 1: Invalid value"),
    "cut off": (GOOD + "properties.x = {", "capsule.toml: Invalid initial character for a key"),
    "twice": (GOOD + 'type = "object"\n', "capsule.toml line 8: Cannot overwrite a value"),
    "no id": (GOOD.replace('id = "capsule.good"\n', ""), "capsule.toml: id: field required"),
    "id without its beginning": (
        GOOD.replace("capsule.good", "good"),
        "capsule.toml: id: has to be `capsule.` and a name of small letters, digits and _, such as "
        "capsule.web_researcher, not 'good'",
    ),
    "id of another folder": (
        GOOD.replace("capsule.good", "capsule.../x"),
        "capsule.toml: id: has to be `capsule.` and a name of small letters, digits and _, such as "
        "capsule.web_researcher, not 'capsule.../x'",
    ),
    "version": (
        GOOD.replace("1.0.0", "1.0"),
        "capsule.toml: version: has to be a semantic version such as 1.0.0, not '1.0'",
    ),
    "type": (
        GOOD.replace('"utility"', '"magic"'),
        "capsule.toml: type: input should be 'reasoning', 'memory', 'neuro_recall', 'response', "
        "'observation', 'security', 'integration', 'predictive', 'utility', 'metacognitive', "
        "'personalization', 'creative', 'autonomous' or 'devops', not 'magic'",
    ),
    "capability": (
        'capabilities = ["root"]\n' + GOOD,
        "capsule.toml: capabilities.0: input should be 'model', 'memory', 'search', 'history' or "
        "'tools', not 'root'",
    ),
    "too long": (
        "security_policy.max_execution_time = 601\n" + GOOD,
        "capsule.toml: security_policy.max_execution_time: input should be less than or equal to "
        "600, not 601",
    ),
    "no time": (
        "security_policy.max_execution_time = 0\n" + GOOD,
        "capsule.toml: security_policy.max_execution_time: input should be greater than or equal "
        "to 1, not 0",
    ),
    "text for a number": (
        'max_tokens = "9"\n' + GOOD,
        "capsule.toml: max_tokens: input should be a valid integer, not '9'",
    ),
    "number for a truth": (
        "auditable = 1\n" + GOOD,
        "capsule.toml: auditable: input should be a valid boolean, not 1",
    ),
    "misspelt": (
        "alowed_tools = []\n" + GOOD,
        "capsule.toml: alowed_tools: there is no such field; docs/capsules.md lists them",
    ),
    "tools without the capability": (
        'allowed_tools = ["time"]\n' + GOOD,
        'capsule.toml: allowed_tools: needs "tools" among the capabilities',
    ),
    "itself": (
        'capabilities = ["tools"]\nallowed_tools = ["capsule.good"]\n' + GOOD,
        "capsule.toml: allowed_tools: a capsule may not call itself",
    ),
    "no tool": (
        'capabilities = ["tools"]\nallowed_tools = ["rm -rf"]\n' + GOOD,
        "capsule.toml: allowed_tools.0: is not the id of a tool, not 'rm -rf'",
    ),
    "prompt": (
        'prompts = ["plan"]\n' + GOOD,
        "capsule.toml: prompts.0: there is no file prompts/plan.j2 in the folder",
    ),
    "prompt elsewhere": (
        'prompts = ["../../etc/passwd"]\n' + GOOD,
        "capsule.toml: prompts.0: there is no file prompts/../../etc/passwd.j2 in the folder",
    ),
    "schema file": (
        GOOD.replace('[input_schema]\ntype = "object"', 'input_schema = "in.json"'),
        "capsule.toml: input_schema: there is no file in.json in the folder",
    ),
    "schema of another type": (
        GOOD.replace('"object"', '"array"'),
        'capsule.toml: input_schema.type: has to be "object": an input is one',
    ),
    "no schema": (
        GOOD + 'properties.n = {type = "numbr"}\n',
        "capsule.toml: input_schema.properties.n.type: 'numbr' is not valid under any of the given "
        "schemas",
    ),
    "schema from afar": (
        GOOD + 'properties.n = {"$ref" = "https://example.org/x"}\n',
        "capsule.toml: input_schema: the reference https://example.org/x leads nowhere within it",
    ),
    "pattern without bounds": (
        GOOD.replace('type = "object"', 'type = "object"\nproperties.n.pattern = "(?=a)b"', 1),
        "capsule.toml: input_schema: the pattern (?=a)b cannot be run in bounded time: look-around",
    ),
    "no table": ("input_schema = 3\n" + GOOD.partition("[")[0], "capsule.toml: input_schema: "),
}


@pytest.mark.parametrize(("text", "message"), BREAKAGES.values(), ids=BREAKAGES)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    """To the letter."""
    with pytest.raises(BrokenCapsule) as broken:
        read(text)
    assert str(broken.value).startswith(message)
    assert "\n" not in str(broken.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One line each."""
    with pytest.raises(BrokenCapsule) as broken:
        read('version = "1"\ncolour = "red"\n')
    fields = [line.split(": ")[1] for line in str(broken.value).splitlines()]
    assert fields == ["id", "name", "version", "description", "type", "input_schema", "colour"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "capsule.toml is missing; `kari capsule new` writes one"),
        ({"capsule.toml": b"\xff"}, "capsule.toml: is not UTF-8, from byte 0 on"),
        (
            {"capsule.toml": GOOD.encode()},
            "handler.py is missing: it has `async def run(skill)`",
        ),
        (
            {
                "capsule.toml": GOOD.replace(
                    '[input_schema]\ntype = "object"', 'input_schema = "in.json"'
                ).encode(),
                "in.json": b'{\n"type": }',
            },
            "in.json line 2: is not JSON",
        ),
    ],
)
def test_what_is_missing_is_told(files: dict[str, bytes], message: str) -> None:
    """Files, and what is in them."""
    with pytest.raises(BrokenCapsule) as broken:
        manifest_of(files)
    assert str(broken.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"async def run(skill):\n  return {\n", "handler.py line 2: '{' was never closed"),
        (b"def run(skill): pass", "handler.py: has no `async def run(skill)`"),
        (b"x = 1\nasync def run(): pass", "handler.py line 2: `run` takes one argument, the skill"),
        (b"\x00", "handler.py: source code string cannot contain null bytes"),
        (b"(" * 500 + b")" * 500, "handler.py line 1: too many nested parentheses"),
        (
            b"#" * 200_001,
            "handler.py: is larger than 200000 bytes; a module beside it may have the rest",
        ),
    ],
)
def test_a_handler_is_looked_at_without_running_it(source: bytes, message: str) -> None:
    """With the line."""
    with pytest.raises(BrokenCapsule) as broken:
        check_handler(source)
    assert str(broken.value) == message
