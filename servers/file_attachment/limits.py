"""What a user may keep: sizes and types, by tenant and role. Pure."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest, RateLimited

MEGABYTE = 1_000_000


class Limit(BaseModel):
    """Some limits; what is not said is left to the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_megabytes: float | None = Field(None, gt=0)
    quota_megabytes: float | None = Field(None, gt=0)
    allow: tuple[str, ...] | None = None
    """Media types, such as `image/*`; without any every type but those of `deny`."""
    deny: tuple[str, ...] | None = None


class Limits(BaseModel):
    """The limits of everybody, of tenants, and of roles: a tenant's replace those of everybody, and
    the widest of a user's roles replace both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    everybody: Limit = Limit()
    tenants: Mapping[str, Limit] = Field(default_factory=dict)
    roles: Mapping[str, Limit] = Field(default_factory=dict)
    tenant_quota_megabytes: float = Field(100_000, gt=0)

    def of(self, tenant_id: str, roles: Collection[str]) -> "Allowed":
        """What a user of a tenant with these roles may keep."""
        base = [_DEFAULT, self.everybody, self.tenants.get(tenant_id, Limit())]
        extra = [limit for role, limit in self.roles.items() if role in roles]
        return Allowed(
            max_bytes=_bytes(_widest("max_megabytes", base, extra)),
            quota_bytes=_bytes(_widest("quota_megabytes", base, extra)),
            tenant_quota_bytes=_bytes(self.tenant_quota_megabytes),
            allow=_types("allow", base, extra),
            deny=_types("deny", base, []),
        )


_DEFAULT = Limit(max_megabytes=2_000, quota_megabytes=10_000, allow=("*",), deny=())


class Allowed(BaseModel):
    """What one user may keep."""

    model_config = ConfigDict(frozen=True)

    max_bytes: int
    quota_bytes: int
    tenant_quota_bytes: int
    allow: tuple[str, ...]
    deny: tuple[str, ...]

    def require_size(self, size: int) -> None:
        """InvalidRequest if a file of that size is too large."""
        if size > self.max_bytes:
            raise InvalidRequest(
                Reason.REASON_TOO_LARGE,
                f"the file is larger than the {_megabytes(self.max_bytes)} that are allowed",
                limit=self.max_bytes,
                size=size,
            )

    def require_type(self, content_type: str) -> None:
        """InvalidRequest if files of that type are not taken."""
        if _matches(content_type, self.deny) or not _matches(content_type, self.allow):
            raise InvalidRequest(
                Reason.REASON_FILE_TYPE,
                f"files of type {content_type} are not taken here",
                content_type=content_type,
            )

    def require_room(self, size: int, *, used: int, tenant_used: int) -> None:
        """RateLimited if the user or the tenant has no room left for so many bytes."""
        for whose, limit, taken in (
            ("you", self.quota_bytes, used),
            ("your organization", self.tenant_quota_bytes, tenant_used),
        ):
            if taken + size > limit:
                raise RateLimited(
                    Reason.REASON_FILE_QUOTA,
                    f"{whose} may keep {_megabytes(limit)} of files; delete some first",
                    retryable=False,
                    limit=limit,
                    used=taken,
                )


def _widest(name: str, base: Sequence[Limit], extra: Sequence[Limit]) -> float:
    said = [v for limit in base if (v := getattr(limit, name)) is not None]
    widened = [v for limit in extra if (v := getattr(limit, name)) is not None]
    return float(max([said[-1], *widened]))


def _types(name: str, base: Sequence[Limit], extra: Sequence[Limit]) -> tuple[str, ...]:
    types: tuple[str, ...] = next(
        v for limit in reversed(base) if (v := getattr(limit, name)) is not None
    )
    return types + tuple(t for limit in extra for t in getattr(limit, name) or ())


def _matches(content_type: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(content_type, pattern) for pattern in patterns)


def _bytes(megabytes: float) -> int:
    return int(megabytes * MEGABYTE)


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:g} MB"
