"""How code_execution is put together."""

from functools import partial

from kari.code_execution.v1.code_execution_pb2 import Runner
from kari.code_execution.v1.code_execution_pb2_grpc import (
    add_CodeExecutionServiceServicer_to_server,
)
from servers.code_execution.policy import policy_of
from servers.code_execution.runners import Runners
from servers.code_execution.running import Running
from servers.code_execution.servicer import CodeExecution
from servers.code_execution.slots import Slots
from servers.composition.serving import served
from servers.composition.trails import trail_of
from servers.runtime.bootstrap import Hosted
from servers.runtime.names import short
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    settings = w.settings
    policy = policy_of(settings)
    runners = Runners(policy, settings.data, settings.code_warm_workers)
    for kind in policy.runners:
        name = f"code_execution.{short(Runner, kind)}"
        w.resources.add(name, partial(runners.health, kind), runners.ping, required=False)
    slots = Slots(settings.code_runs_per_user, settings.code_runs)
    running = Running(policy, runners, slots, trail_of(w, "code_execution"))
    return served(
        "code_execution",
        add_CodeExecutionServiceServicer_to_server,
        CodeExecution(running),
        loops=(runners.run,),
        close=runners.close,
    )
