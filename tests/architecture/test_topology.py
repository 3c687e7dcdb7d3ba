"""One name everywhere: topology, folders, contracts, wiring."""

from importlib import import_module
from pathlib import Path

import pytest

from kari.policy.v1 import policy_pb2
from servers import topology
from servers.runtime import policy

ROOT = Path(__file__).parents[2]
NAMES = [node.name for node in topology.SERVERS]
SHARED = {"conversation_models", "edge", "errors", "policy"}


def folders(path: str) -> set[str]:
    return {p.name for p in (ROOT / path).iterdir() if p.is_dir() and p.name != "__pycache__"}


def test_every_server_has_a_folder_and_every_folder_a_server() -> None:
    assert folders("servers") - {"composition", "runtime"} == set(NAMES)


def test_every_server_has_a_contract_and_every_contract_a_server() -> None:
    assert folders("proto/kari") - SHARED == set(NAMES)


def test_every_server_is_wired() -> None:
    modules = {path.stem for path in (ROOT / "servers/composition").glob("*.py")}
    assert modules - {"__init__", "mesh", "serving", "trails"} == set(NAMES)


def test_every_server_has_tests() -> None:
    assert set(NAMES) <= folders("tests")


def test_the_arrows_make_no_circle() -> None:
    """So that servers can be stopped callers first."""
    assert sorted(name for wave in topology.waves() for name in wave) == sorted(NAMES)


def test_ports_are_distinct() -> None:
    ports = [node.port for node in topology.SERVERS]
    assert sorted(ports) == list(range(len(ports)))


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_has_one_service_that_states_its_policy(name: str) -> None:
    """Exposure for the service; a policy for each rpc, or it could not be served."""
    module = import_module(f"kari.{name}.v1.{name}_pb2")
    (service,) = module.DESCRIPTOR.services_by_name.values()
    assert service.full_name == topology.service_of(name)
    assert len(policy.of_service(service)) == len(service.methods)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_front_of_the_mesh_is_open_to_users(name: str) -> None:
    """The hub and identity; everything behind them is for servers."""
    module = import_module(f"kari.{name}.v1.{name}_pb2")
    (service,) = module.DESCRIPTOR.services_by_name.values()
    exposure = service.GetOptions().Extensions[policy_pb2.service].exposure
    edge = exposure == policy_pb2.Exposure.EXPOSURE_EDGE
    assert edge == (name in topology.GATEWAY.calls)
