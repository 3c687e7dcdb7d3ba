"""The processes of the mesh in each placement."""

import socket

import pytest

from cli.programs import mesh_waves
from servers import topology
from servers.runtime.settings import Misconfigured, Placement, Settings, read_settings
from servers.wiring import metrics_port

ALL = [*(node.name for node in topology.SERVERS), "gateway"]
GIVEN = {"KARI_DATA": "somewhere"}


def parts(argv: tuple[str, ...]) -> list[str]:
    """What a process serves."""
    return list(argv[argv.index("servers") + 1 :])


def test_together_is_one_process_of_all() -> None:
    """It has the environment it was given."""
    ((program,),) = mesh_waves(Settings(), GIVEN)
    assert program.name == "kari"
    assert parts(program.argv) == ALL
    assert program.env == GIVEN


def test_spread_is_a_process_a_server_and_the_gateway_last() -> None:
    """Callees before callers."""
    waves = mesh_waves(Settings(placement=Placement.SPREAD), GIVEN)
    names = [[program.name for program in wave] for wave in waves]
    assert names == [*topology.waves(), ["gateway"]]
    assert all(parts(program.argv) == [program.name] for wave in waves for program in wave)


def test_workers_are_processes_of_all_that_know_which_they_are() -> None:
    """In one wave; each with a port of its own."""
    (wave,) = mesh_waves(Settings(workers=2), GIVEN, [4001, 4002])
    assert [program.name for program in wave] == ["kari-1", "kari-2"]
    assert all(parts(program.argv) == ALL for program in wave)
    assert [dict(program.env) for program in wave] == [
        {**GIVEN, "KARI_WORKER": "1", "KARI_WORKER_PORT": "4001"},
        {**GIVEN, "KARI_WORKER": "2", "KARI_WORKER_PORT": "4002"},
    ]


async def test_a_worker_is_ready_when_it_answers_itself() -> None:
    """That another one does on the shared port says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as shared, socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        settings = Settings(workers=2, http_port=shared.getsockname()[1])
        ((program, _),) = mesh_waves(settings, GIVEN, [own.getsockname()[1], 1])
        assert program.answers is not None
        assert not await program.answers()


def test_workers_and_spread_exclude_each_other() -> None:
    """A setting that would do nothing is an error that names it."""
    with pytest.raises(Misconfigured, match=r"KARI_WORKERS: .*none when spread"):
        read_settings(workers=2, placement=Placement.SPREAD)


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({"metrics_port": 0, "workers": 2}, 0),
        ({"metrics_port": 9100}, 0),
        ({"metrics_port": 9100, "workers": 2, "worker": 1}, 9100),
        ({"metrics_port": 9100, "workers": 2, "worker": 2}, 9101),
        ({"metrics_port": 9100, "placement": "spread"}, 9109),
    ],
)
def test_metrics_have_a_port_where_there_are_several_processes(
    given: dict[str, object], port: int
) -> None:
    """One process shows them on the page's port."""
    assert metrics_port("identity", Settings.model_validate(given)) == port
