"""NeuroVault in the hands of a new user in a new tenant."""

import pytest

from tests.production_memory.memory import Memory
from tests.production_memory.vault.vault import Vault


@pytest.fixture
def vault(memory: Memory) -> Vault:
    memory.embedder.similar.clear()
    return Vault(memory)
