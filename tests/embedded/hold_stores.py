"""What `kari up` does with its stores, and nothing else: `python hold_stores.py DATA SYSTEM`.

Prints one JSON line (`urls` and `pids`) when all stores answer, then holds them until a signal.
"""

import asyncio
import json
import sys
from pathlib import Path

from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.signals import stopped_by_signals
from embedded.stores import EmbeddedStores, Store


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def hold(data: Path, system: Path) -> None:
    with stopped_by_signals(), DataFolder(data) as folder:
        async with EmbeddedStores(folder, frozenset(Store), tell, system_folder=system) as stores:
            pids = {store.value: stores.pid(store) for store in Store}
            print(json.dumps({"urls": stores.environment(), "pids": pids}), flush=True)
            await asyncio.Event().wait()


def main() -> int:
    try:
        asyncio.run(hold(Path(sys.argv[1]), Path(sys.argv[2])))
    except StartError as error:
        tell(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
