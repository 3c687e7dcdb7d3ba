"""How identity is put together."""

from kari.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from servers.composition.serving import served
from servers.identity.access import Signer
from servers.identity.administration import Administration
from servers.identity.first_accounts import FirstAccounts
from servers.identity.passwords import Passwords
from servers.identity.servicer import Identity
from servers.identity.sign_in import SignIn
from servers.identity.store import Sessions, Users
from servers.identity.store_lockout import Lockout
from servers.runtime.bootstrap import Hosted
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.keys import identity_key
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    database, passwords = w.database("identity", largest=4), Passwords()
    users, sessions = Users(database), Sessions(database)
    seconds = w.settings.access_token_seconds
    signer, ended = Signer(identity_key(w.keys.identity), seconds), EndedSessions(w.redis, seconds)
    lockout = Lockout(w.redis)
    sign_in = SignIn(users, sessions, passwords, lockout, ended, signer, w.settings)
    return served(
        "identity",
        add_IdentityServiceServicer_to_server,
        Identity(sign_in, Administration(users, passwords), signer.jwks),
        prepare=FirstAccounts(database, passwords, w.settings.data).ensure,
        close=passwords.close,
    )
