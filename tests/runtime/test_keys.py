"""The keys of a mesh and what is signed with them."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.runtime.access_tokens import AccessTokens
from servers.runtime.errors import Unauthenticated
from servers.runtime.keys import ensure_keys, identity_key, key_files, mesh_key, public_jwk
from servers.runtime.mesh_key import MeshKey
from servers.runtime.settings import Settings
from tests.runtime.tokens import access_token

MAKE = """
import sys
from pathlib import Path
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
sys.stdin.read()
ensure_keys(Settings(data=Path(sys.argv[1])))
"""


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Files of mode 0600 in folders of mode 0700."""
    old = os.umask(0)
    try:
        files = ensure_keys(Settings(data=tmp_path / "data"))
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(f.stat().st_mode) for f in (files.identity, files.mesh, files.jwks)}
    assert modes == {0o600}
    folders = (tmp_path / "data", tmp_path / "data" / "keys")
    assert {stat.S_IMODE(f.stat().st_mode) for f in folders} == {0o700}


def test_processes_that_make_keys_at_once_agree(tmp_path: Path) -> None:
    """All let go at the same moment; nothing is left lying about."""
    argv = [sys.executable, "-c", MAKE, str(tmp_path)]
    makers = [subprocess.Popen(argv, stdin=subprocess.PIPE) for _ in range(4)]
    for maker in makers:
        assert maker.stdin
        maker.stdin.close()
    assert [maker.wait(60) for maker in makers] == [0] * 4
    files = key_files(Settings(data=tmp_path))
    assert sorted(f.name for f in files.jwks.parent.iterdir()) == [
        "audit.key",
        "identity.pem",
        "jwks.json",
        "mesh.key",
    ]
    published = json.loads(files.jwks.read_text())["keys"]
    assert published == [public_jwk(identity_key(files.identity))]


def test_keys_that_are_there_stay(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    before = ensure_keys(settings).identity.read_bytes()
    assert ensure_keys(settings).identity.read_bytes() == before


def test_keys_of_the_settings_are_used(tmp_path: Path) -> None:
    made = ensure_keys(Settings(data=tmp_path / "one"))
    other = Settings(
        data=tmp_path / "two", identity_key_file=made.identity, mesh_key_file=made.mesh
    )
    files = ensure_keys(other)
    assert (files.identity, files.mesh) == (made.identity, made.mesh)
    assert files.jwks.read_text() == made.jwks.read_text()


def test_the_public_key_s_id_is_its_thumbprint(tmp_path: Path) -> None:
    """Ed25519 example of RFC 8037, appendix A."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    jwk = public_jwk(Ed25519PrivateKey.from_private_bytes(private))
    assert jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_rotated_key_is_found_without_a_restart(tmp_path: Path) -> None:
    """Tokens of the old key are refused then, those of the new one are good."""
    clock = [0.0]
    old = ensure_keys(Settings(data=tmp_path / "old"))
    new = ensure_keys(Settings(data=tmp_path / "new"))
    tokens = AccessTokens(old.jwks, monotonic=lambda: clock[0])
    before = access_token(old)
    assert tokens.verify(before).user_id == "user_1"
    old.jwks.write_bytes(new.jwks.read_bytes())
    clock[0] += 60
    assert tokens.verify(access_token(new)).user_id == "user_1"
    with pytest.raises(Unauthenticated):
        AccessTokens(old.jwks).verify(before)


def test_a_short_mesh_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MeshKey(b"short")


def test_a_proof_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """And is good for as long as it may be used."""
    clock = [time.time()]
    key = MeshKey(b"k" * 32, clock=lambda: clock[0])
    first = key.prove("chat_hub")
    assert key.prove("chat_hub") == first
    clock[0] += 200
    second = key.prove("chat_hub")
    assert second != first
    assert (key.caller(first), key.caller(second)) == ("chat_hub", "chat_hub")
    clock[0] += 200
    assert (key.caller(first), key.caller(second)) == ("", "chat_hub")


def test_a_delegation_carries_a_user_and_ends(tmp_path: Path) -> None:
    clock = [time.time()]
    key = MeshKey(b"k" * 32, clock=lambda: clock[0])
    roles = frozenset({"chat.user"})
    made = key.delegate("chat_orchestrator", user_id="u", tenant_id="t", roles=roles)
    found = key.principal(made.token)
    assert found is not None
    assert (found.user_id, found.tenant_id, found.roles) == ("u", "t", roles)
    clock[0] += 4000
    assert key.principal(made.token) is None


def test_the_mesh_key_file_is_read_back(tmp_path: Path) -> None:
    files = ensure_keys(Settings(data=tmp_path))
    proof = mesh_key(files.mesh).prove("chat_hub")
    assert mesh_key(files.mesh).caller(proof) == "chat_hub"


def test_a_user_s_turns_share_a_delegation_for_half_of_its_life() -> None:
    clock = [time.time()]
    key = MeshKey(b"k" * 32, clock=lambda: clock[0])

    def made(user_id: str = "u", *roles: str) -> str:
        delegated = key.delegate(
            "chat_orchestrator", user_id=user_id, tenant_id="t", roles=frozenset(roles)
        )
        return delegated.token

    first = made()
    assert made() == first
    assert first not in (made("v"), made("u", "chat.user"))
    clock[0] += 1801
    assert made() != first
