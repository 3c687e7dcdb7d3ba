"""Commands that run for long sign in anew."""

from cli.mesh import act_as, connected
from servers.runtime.settings import Settings
from tests.hosting import hosting


async def test_signing_in_anew_needs_no_token_that_still_holds(settings: Settings) -> None:
    """The one of before may have ended meanwhile."""
    async with (
        hosting(settings, "identity", "audit") as wiring,
        connected(wiring.settings) as mesh,
    ):
        account = await mesh.sign_in("demo", "demo")
        account.tokens.access_token = "one that has ended"
        act_as(account)
        again = await mesh.sign_in("demo", "demo")
    assert again.tokens.access_token.count(".") == 2
