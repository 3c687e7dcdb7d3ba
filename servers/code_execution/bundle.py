"""Workers as one text each, which Python in a jail takes on its command line: what they import
from here comes along, compiled, since the interpreter within is the one that runs this. Pure but
for reading this package's own files."""

import base64
import marshal
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[2]
PACKAGES = ("servers", "servers.code_execution", "servers.code_execution.within")
SHARED = tuple(
    f"servers.code_execution.within.{name}" for name in ("json_text", "frames", "values")
)
LOADER = """
import binascii, marshal, sys
parts, main = marshal.loads(binascii.a2b_base64({parts!r}))
for name, code in parts:
    module = sys.modules[name] = type(sys)(name)
    module.__path__ = []
    exec(code, module.__dict__)
code = main
del binascii, marshal, parts, main, name, module
exec(code)
"""


def bundled(main: str, *modules: str) -> str:
    """The text of a worker and of the modules that it imports, in the order of their need."""
    parts = [(name, compile("", name, "exec")) for name in PACKAGES]
    parts += [(name, _compiled(name)) for name in (*SHARED, *modules)]
    packed = marshal.dumps((parts, _compiled(main)))
    return LOADER.format(parts=base64.b64encode(packed).decode())


def _compiled(module: str) -> CodeType:
    source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
    return compile(source, module, "exec", dont_inherit=True)
