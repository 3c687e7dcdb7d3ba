"""Workers as one text each, which Python in a jail takes on its command line: what they import
from here comes along. Pure but for reading this package's own files."""

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("servers", "servers.code_execution", "servers.code_execution.within")
SHARED = ("servers.code_execution.within.frames", "servers.code_execution.within.values")
LOADER = """
import sys, types
for name, source in {modules!r}:
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(source, name, "exec"), module.__dict__)
del module, name, source
{main}
"""


def bundled(main: str, *modules: str) -> str:
    """The text of a worker and of the modules that it imports, in the order of their need."""
    sources: Sequence[tuple[str, str]] = [(name, "") for name in PACKAGES]
    sources = [*sources, *((name, _source(name)) for name in (*SHARED, *modules))]
    return LOADER.format(modules=sources, main=_source(main))


def _source(module: str) -> str:
    return (ROOT / (module.replace(".", "/") + ".py")).read_text()
