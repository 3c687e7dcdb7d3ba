"""Policy, read from the descriptors of the contracts. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from kari.policy.v1 import policy_pb2
from kari.policy.v1.policy_pb2 import AuditLevel, Exposure
from servers.runtime.call import ADMIN


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """What the contract says about one rpc. `deadline` is in seconds; None means none."""

    roles: frozenset[str] = frozenset()
    public: bool = False
    unattended: bool = False
    mesh_only: bool = False
    deadline: float | None = None
    audit: AuditLevel.ValueType = AuditLevel.AUDIT_LEVEL_UNSPECIFIED


class PolicyMissing(Exception):
    """A contract does not state its policy, so it cannot be served."""


def of_service(service: ServiceDescriptor) -> dict[str, MethodPolicy]:
    """Policy of every rpc of a service, by full path `/package.Service/Method`."""
    exposure = service.GetOptions().Extensions[policy_pb2.service].exposure
    if exposure == Exposure.EXPOSURE_UNSPECIFIED:
        raise PolicyMissing(f"{service.full_name} does not state its exposure")
    return {
        f"/{service.full_name}/{method.name}": _of_method(method, exposure)
        for method in service.methods
    }


# Health and reflection are open so that probes and grpcurl work without a token; channelz shows
# who is connected and is for administrators.
INFRASTRUCTURE: Mapping[str, MethodPolicy] = {
    "grpc.health.v1.Health": MethodPolicy(public=True),
    "grpc.reflection.v1.ServerReflection": MethodPolicy(public=True),
    "grpc.reflection.v1alpha.ServerReflection": MethodPolicy(public=True),
    "grpc.channelz.v1.Channelz": MethodPolicy(roles=frozenset({ADMIN})),
}


class Policies:
    """The policies of all services of a process."""

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._methods = {k: v for s in services for k, v in of_service(s).items()}

    def of(self, method: str) -> MethodPolicy:
        """Policy of a method by full path; KeyError if it is neither ours nor infrastructure."""
        found = self._methods.get(method)
        if found is not None:
            return found
        return INFRASTRUCTURE[method[1:].partition("/")[0]]


class FieldRoles:
    """Roles that set fields of a request ask for. Plans are made once a message type."""

    def __init__(self) -> None:
        self._plans: dict[type[Message], tuple[tuple[FieldDescriptor, frozenset[str]], ...]] = {}

    def required(self, message: Message) -> frozenset[str]:
        """All roles that the fields set in `message`, at any depth, ask for."""
        roles: frozenset[str] = frozenset()
        for field, own in self._plan(type(message)):
            for value in _values(message, field):
                roles |= own
                if isinstance(value, Message):
                    roles |= self.required(value)
        return roles

    def _plan(self, kind: type[Message]) -> tuple[tuple[FieldDescriptor, frozenset[str]], ...]:
        """The fields of a message type that ask for roles, or lead to such, with their own."""
        plan = self._plans.get(kind)
        if plan is None:
            fields = cast(Descriptor, kind.DESCRIPTOR).fields
            found = ((field, _roles_of(field)) for field in fields)
            plan = tuple((field, roles) for field, roles in found if roles or _leads_on(field))
            self._plans[kind] = plan
        return plan


def _leads_on(field: FieldDescriptor) -> bool:
    """Whether any message type below a field has a field that asks for roles."""
    kinds, seen = [field.message_type], set[str]()
    while kinds:
        kind = kinds.pop()
        if kind is None or kind.full_name in seen:
            continue
        if any(_roles_of(below) for below in kind.fields):
            return True
        seen.add(kind.full_name)
        kinds += [below.message_type for below in kind.fields]
    return False


def _of_method(method: object, exposure: Exposure.ValueType) -> MethodPolicy:
    options = method.GetOptions()  # type: ignore[attr-defined]
    if not options.HasExtension(policy_pb2.method):
        raise PolicyMissing(f"{method.full_name} does not state its policy")  # type: ignore[attr-defined]
    stated = options.Extensions[policy_pb2.method]
    seconds = stated.deadline.ToTimedelta().total_seconds() if stated.HasField("deadline") else None
    return MethodPolicy(
        roles=frozenset(stated.roles),
        public=stated.public,
        unattended=stated.unattended,
        mesh_only=exposure == Exposure.EXPOSURE_MESH or stated.unattended,
        deadline=seconds,
        audit=stated.audit,
    )


def _roles_of(field: FieldDescriptor) -> frozenset[str]:
    options = field.GetOptions()
    if not options.HasExtension(policy_pb2.field):
        return frozenset()
    return frozenset(options.Extensions[policy_pb2.field].roles)


def _values(message: Message, field: FieldDescriptor) -> Iterable[object]:
    value = getattr(message, field.name)
    if _is_map(field):
        return value.values()  # type: ignore[no-any-return]
    if field.is_repeated:
        return value  # type: ignore[no-any-return]
    if field.has_presence:
        return (value,) if message.HasField(field.name) else ()
    return (value,) if value != field.default_value else ()


def _is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry
