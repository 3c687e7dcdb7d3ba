"""Policy, read from contracts; some of them made here."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from kari.chat_hub.v1 import chat_hub_pb2
from kari.policy.v1 import policy_pb2
from kari.production_memory.v1 import production_memory_pb2
from servers.runtime.policy import FieldRoles, Policies, PolicyMissing, of_service


def a_contract(name: str, *, exposure: bool = True, policy: bool = True) -> Any:
    """A service with one rpc, with or without what it has to state."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    file.message_type.add(name="M")
    service = file.service.add(name="S")
    method = service.method.add(name="Do", input_type=f".{name}.M", output_type=f".{name}.M")
    if exposure:
        stated = service.options.Extensions[policy_pb2.service]
        stated.exposure = policy_pb2.Exposure.EXPOSURE_EDGE
    if policy:
        method.options.Extensions[policy_pb2.method].roles.append("chat.user")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName(f"{name}.S")


@pytest.mark.parametrize("missing", ["exposure", "policy"])
def test_a_contract_that_does_not_state_its_policy_is_not_served(missing: str) -> None:
    with pytest.raises(PolicyMissing, match="S"):
        of_service(a_contract(f"without_{missing}", **{missing: False}))


def test_a_contract_s_words_are_its_policy() -> None:
    """Roles, deadline, who may call."""
    policies = of_service(chat_hub_pb2.DESCRIPTOR.services_by_name["ChatHubService"])
    send = policies["/kari.chat_hub.v1.ChatHubService/SendMessage"]
    assert (send.roles, send.deadline, send.mesh_only) == (frozenset({"chat.user"}), 15.0, False)
    assert policies["/kari.chat_hub.v1.ChatHubService/Watch"].deadline is None
    memory = production_memory_pb2.DESCRIPTOR.services_by_name["ProductionMemoryService"]
    assert all(policy.mesh_only for policy in of_service(memory).values())


def test_infrastructure_has_a_policy_and_nothing_else_has() -> None:
    policies = Policies([])
    assert policies.of("/grpc.health.v1.Health/Check").public
    assert policies.of("/grpc.channelz.v1.Channelz/GetServers").roles == {"chat.admin"}
    with pytest.raises(KeyError):
        policies.of("/somebody.else.v1.Service/Do")


def guarded_messages() -> dict[str, Any]:
    """A refers to B and B to A; A has a field that asks for a role. M has a map of A."""
    file = descriptor_pb2.FileDescriptorProto(name="g.proto", package="g", syntax="proto3")
    a, b, m = (file.message_type.add(name=name) for name in "ABM")
    secret = a.field.add(name="secret", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    secret.options.Extensions[policy_pb2.field].roles.append("chat.config.edit")
    _refer(a.field.add(name="b", number=2), ".g.B")
    _refer(b.field.add(name="a", number=1), ".g.A")
    entry = m.nested_type.add(name="ItemsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    _refer(entry.field.add(name="value", number=2), ".g.A")
    _refer(m.field.add(name="items", number=1), ".g.M.ItemsEntry", label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"g.{name}") for name in "ABM"}
    return {name: message_factory.GetMessageClass(kind) for name, kind in found.items()}


def _refer(field: FieldDescriptorProto, to: str, label: Any = 1) -> None:
    field.type, field.type_name, field.label = FieldDescriptorProto.TYPE_MESSAGE, to, label


def test_roles_of_fields_are_found_at_any_depth() -> None:
    """Through types that refer to each other, and through maps."""
    kinds, roles = guarded_messages(), FieldRoles()
    secret = kinds["A"](secret="x")
    nested = kinds["A"](b=kinds["B"](a=secret))
    in_map = kinds["M"]()
    in_map.items["k"].secret = "x"
    for message in (secret, nested, kinds["B"](a=secret), kinds["B"](a=nested), in_map):
        assert roles.required(message) == {"chat.config.edit"}


def test_fields_that_are_not_set_ask_for_nothing() -> None:
    kinds, roles = guarded_messages(), FieldRoles()
    empty = kinds["M"]()
    empty.items["k"].secret = ""
    for message in (kinds["A"](), kinds["A"](b=kinds["B"](a=kinds["A"]())), empty):
        assert roles.required(message) == frozenset()
