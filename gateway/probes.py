"""What operators and other services ask: is it alive, is it ready, metrics, keys."""

import json
import time
from typing import TYPE_CHECKING

import grpc
from google.protobuf import json_format
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.readiness import Readiness
from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1.identity_pb2 import GetJwksRequest
from servers.runtime.errors import Unavailable, from_rpc

if TYPE_CHECKING:
    from kari.identity.v1.identity_pb2_grpc import IdentityServiceAsyncStub

JWKS_SECONDS = 60


class Probes:
    """The paths without a user."""

    def __init__(self, identity: "IdentityServiceAsyncStub", readiness: Readiness) -> None:
        self._identity = identity
        self._readiness = readiness
        self._jwks = b""
        self._jwks_until = 0.0

    async def livez(self, _: Request) -> Response:
        """The process answers."""
        return JSONResponse({"alive": True}, headers={"cache-control": "no-store"})

    async def readyz(self, _: Request) -> Response:
        """The mesh answers; lists the features that are missing."""
        down = await self._readiness.check()
        if down:
            raise Unavailable(
                Reason.REASON_SERVER_UNAVAILABLE,
                "the mesh is not ready: " + ", ".join(down),
                retry_after=1.0,
                server=", ".join(down),
            )
        missing = (*self._readiness.degradations, *self._readiness.others)
        degraded = [json_format.MessageToDict(each) for each in missing]
        body = {"ready": True, "degraded": degraded}
        return JSONResponse(body, headers={"cache-control": "no-store"})

    async def metrics(self, _: Request) -> Response:
        """Prometheus metrics of this process."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def jwks(self, _: Request) -> Response:
        """The keys that verify access tokens (RFC 7517), at most a minute old."""
        if time.monotonic() >= self._jwks_until:
            try:
                response = await self._identity.GetJwks(GetJwksRequest())
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from error
            self._jwks = json.dumps(json.loads(response.jwks_json)).encode()
            self._jwks_until = time.monotonic() + JWKS_SECONDS
        headers = {"cache-control": f"public, max-age={JWKS_SECONDS}"}
        return Response(self._jwks, headers=headers, media_type="application/jwk-set+json")
