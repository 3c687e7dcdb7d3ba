"""Signing in, probes and the page's files, over HTTP."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from gateway.app import Gateway, serving_gateway
from gateway.closing import SESSION_ENDED
from gateway.page import SECURITY_HEADERS
from servers.runtime.settings import Settings
from tests.gateway.client import connected
from tests.gateway.conftest import Serve, serving
from tests.gateway.http_client import Answer, Http, http
from tests.gateway.mesh import Mesh, serving_mesh
from tests.gateway.scripted_identity import ADA, PASSWORD

LOGIN = {"name": "ada", "password": PASSWORD}


@pytest_asyncio.fixture(loop_scope="session")
async def api(gateway: Gateway) -> AsyncIterator[Http]:
    """An API client: it sends no Origin header."""
    async with http(gateway.url) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def browser(gateway: Gateway) -> AsyncIterator[Http]:
    """As a browser on the gateway's own page does it."""
    async with http(gateway.url, origin=gateway.url) as client:
        yield client


async def test_an_api_client_gets_both_tokens_in_the_body(api: Http) -> None:
    """And the access token opens a socket."""
    response = await api.post("/v1/auth/login", json=LOGIN)
    answer = response.json()
    assert (response.status, answer["user"]["name"]) == (200, "ada")
    assert answer["tokens"]["refreshToken"]
    assert response.headers["cache-control"] == "no-store"


async def test_a_browser_gets_its_refresh_token_where_no_script_sees_it(
    browser: Http,
) -> None:
    """Cookies: HttpOnly, SameSite=Strict, and on no more paths than they need."""
    response = await browser.post("/v1/auth/login", json=LOGIN)
    assert "refreshToken" not in response.json()["tokens"]
    access, kept = response.cookie("kari_access"), response.cookie("kari_refresh")
    assert (access["path"], kept["path"]) == ("/v1", "/v1/auth")
    assert all(c["httponly"] and c["samesite"] == "strict" for c in (access, kept))
    assert 800 < int(access["max-age"]) <= 900


@pytest.mark.parametrize(("proxies", "secure"), [("127.0.0.1", True), ("10.0.0.1", False)])
async def test_only_a_trusted_proxy_is_believed_that_it_speaks_https(
    serve: Serve, proxies: str, secure: bool
) -> None:
    """Behind one, cookies are for HTTPS alone."""
    async with serve(trusted_proxies=proxies) as gateway:
        headers = {"origin": gateway.url.replace("http", "https") if secure else gateway.url}
        async with http(gateway.url, **headers, **{"x-forwarded-proto": "https"}) as proxied:
            response = await proxied.post("/v1/auth/login", json=LOGIN)
    assert bool(response.cookie("kari_refresh")["secure"]) == secure


async def test_a_trusted_proxy_says_who_guesses(serve: Serve) -> None:
    """Sign-ins are counted by the address that it forwards, not by its own."""
    async with serve(trusted_proxies="127.0.0.1") as gateway, http(gateway.url) as proxied:
        statuses = [(await guess(proxied, number, "198.51.100.1")).status for number in range(130)]
        other = await guess(proxied, 0, "198.51.100.2")
    assert statuses[-1] == 429
    assert other.status == 401


async def guess(proxied: Http, number: int, address: str) -> Answer:
    """A sign-in under a name of its own that fails."""
    wrong = {**LOGIN, "name": f"nobody{number}", "password": "wrong"}
    return await proxied.post("/v1/auth/login", json=wrong, headers={"x-forwarded-for": address})


async def test_wrong_credentials_are_refused(api: Http) -> None:
    """Which of the two is wrong is not said."""
    response = await api.post("/v1/auth/login", json={**LOGIN, "password": "wrong"})
    envelope = response.envelope()
    assert (response.status, envelope["reason"]) == (401, "REASON_CREDENTIALS_WRONG")


@pytest.mark.parametrize("body", ["{", "[]", '{"name":"ada"}', '{"name":7}', '{"color":"red"}'])
async def test_a_wrong_body_is_refused(api: Http, body: str) -> None:
    """400, with the field where there is one."""
    headers = {"content-type": "application/json"}
    response = await api.post("/v1/auth/login", data=body, headers=headers)
    assert (response.status, response.envelope()["type"]) == (400, "ERROR_TYPE_VALIDATION")


async def test_a_large_body_is_refused(api: Http) -> None:
    """413, with the limit."""
    response = await api.post("/v1/auth/login", json={**LOGIN, "password": "x" * 70_000})
    assert (response.status, response.envelope()["reason"]) == (413, "REASON_TOO_LARGE")


async def test_a_form_of_another_site_cannot_sign_in(api: Http) -> None:
    """Forms cannot send JSON; pages that can are told apart by their origin."""
    form = await api.post("/v1/auth/login", data=LOGIN)
    script = await api.post(
        "/v1/auth/login", json=LOGIN, headers={"origin": "https://evil.example"}
    )
    assert (form.status, script.status) == (400, 403)


async def test_a_browser_refreshes_by_its_cookie(browser: Http) -> None:
    """Each refresh token works once: the second refresh uses the second one."""
    await browser.post("/v1/auth/login", json=LOGIN)
    for _ in range(2):
        response = await browser.post("/v1/auth/refresh", json={})
        answer = response.json()
        assert (response.status, "refreshToken" in answer["tokens"]) == (200, False)


async def test_the_cookie_refreshes_on_no_other_page(browser: Http) -> None:
    """The Origin is checked, and has to be there."""
    await browser.post("/v1/auth/login", json=LOGIN)
    response = await browser.post(
        "/v1/auth/refresh", json={}, headers={"origin": "https://evil.example"}
    )
    assert (response.status, response.envelope()["reason"]) == (
        403,
        "REASON_ORIGIN_NOT_ALLOWED",
    )


async def test_an_api_client_refreshes_by_its_token_once(api: Http) -> None:
    """The second use is refused."""
    first = (await api.post("/v1/auth/login", json=LOGIN)).json()
    api.forget_cookies()
    body = {"refreshToken": first["tokens"]["refreshToken"]}
    answers = [await api.post("/v1/auth/refresh", json=body) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 401]
    assert (answers[0].json())["tokens"]["refreshToken"]


async def test_without_a_session_there_is_nothing_to_refresh(api: Http) -> None:
    """401."""
    response = await api.post("/v1/auth/refresh", json={})
    assert response.envelope()["reason"] == "REASON_TOKEN_MISSING"


async def test_signing_out_ends_session_sockets_and_cookies(
    browser: Http, gateway: Gateway
) -> None:
    """Once more is fine."""
    answer = (await browser.post("/v1/auth/login", json=LOGIN)).json()
    async with connected(gateway.url, answer["tokens"]["accessToken"]) as client:
        response = await browser.post("/v1/auth/logout", json={})
        assert (response.status, response.cookie("kari_refresh").value) == (204, "")
        assert await client.closed() == SESSION_ENDED.code
    assert (await browser.post("/v1/auth/refresh", json={})).status == 401
    assert (await browser.post("/v1/auth/logout", json={})).status == 204


async def test_guessing_passwords_is_slowed_down(api: Http) -> None:
    """429 with Retry-After."""
    wrong = {"name": "ada", "password": "wrong"}
    answers = [await api.post("/v1/auth/login", json=wrong) for _ in range(11)]
    envelope = answers[-1].envelope()
    assert (answers[-1].status, envelope["reason"]) == (429, "REASON_SIGN_IN_RATE")
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_the_keys_verify_the_tokens(api: Http, mesh: Mesh) -> None:
    """RFC 7517, to be kept for a while."""
    response = await api.get("/.well-known/jwks.json")
    (key,) = json.loads(response.body)["keys"]
    assert (key["kty"], key["alg"]) == ("OKP", "EdDSA")
    assert "max-age" in response.headers["cache-control"]


async def test_alive_and_ready(api: Http) -> None:
    """Nothing is missing."""
    assert (await api.get("/livez")).status == 200
    response = await api.get("/readyz")
    assert (response.status, response.json()) == (200, {"ready": True, "degraded": []})


async def test_missing_features_are_listed(
    settings: Settings, valkey: str, nowhere: SecretStr
) -> None:
    """The mesh without Redis is ready, with less; so are sockets told."""
    alone = settings.model_copy(update={"redis_url": nowhere})
    async with (
        serving_mesh(alone) as mesh,
        serving_gateway(alone, *mesh.peers, mesh.redis, mesh.access_tokens) as gateway,
        http(gateway.url) as api,
    ):
        answer = (await api.get("/readyz")).json()
        async with connected(gateway.url, mesh.identity.token()) as client:
            told = client.welcome["degradations"]
    features = {degraded["feature"] for degraded in answer["degraded"]}
    assert {"FEATURE_RESUME", "FEATURE_SHARED_LIMITS", "FEATURE_FAN_OUT"} <= features
    assert {degraded["feature"] for degraded in told} == features


async def test_without_the_mesh_the_gateway_is_alive_and_not_ready(
    settings: Settings,
) -> None:
    """503 and the envelope, naming who does not answer."""
    async with (
        serving_mesh(settings) as mesh,
        serving(settings, mesh) as gateway,
        http(gateway.url) as api,
    ):
        await mesh.stop()
        ready, alive = await api.get("/readyz"), await api.get("/livez")
        envelope = ready.envelope()
        login = await api.post("/v1/auth/login", json=LOGIN)
    assert (ready.status, alive.status, login.status) == (503, 200, 503)
    assert envelope["details"]["server"] == "chat_hub, identity"


async def test_metrics_are_served(api: Http, gateway: Gateway, mesh: Mesh) -> None:
    """Those of the sockets among them."""
    async with connected(gateway.url, mesh.identity.token()) as client:
        await client.message("stream 1")
        await client.expect("ack")
        text = (await api.get("/metrics")).body
    assert 'kari_chat_connections_total{outcome="accepted"}' in text
    assert 'kari_chat_messages_forwarded_total{method="SendMessage"}' in text
    assert "kari_chat_active_sessions" in text


async def test_unknown_paths_and_methods_get_envelopes(api: Http) -> None:
    """404 and 405, never HTML."""
    nowhere, wrong = await api.get("/nowhere"), await api.get("/v1/auth/login")
    assert (nowhere.status, nowhere.envelope()["type"]) == (404, "ERROR_TYPE_NOT_FOUND")
    assert wrong.status == 405
    assert (await api.get("/v1/chat")).status == 426


@pytest.mark.parametrize("path", ["/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/web/"])
async def test_only_the_page_is_served(api: Http, path: str) -> None:
    """Files are looked up, not opened."""
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize("path", ["/", "/app.js", "/style.css", "/livez", "/nowhere"])
async def test_everything_comes_with_the_security_headers(api: Http, path: str) -> None:
    """No script but ours, no frame around us."""
    response = await api.get(path)
    assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "unsafe" not in response.headers["content-security-policy"]


async def test_the_page_is_kept_until_it_changes(api: Http) -> None:
    """By its ETag."""
    first = await api.get("/")
    again = await api.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (first.status, again.status) == (200, 304)
    assert first.headers["content-type"].startswith("text/html")


async def test_a_forged_correlation_id_is_replaced(api: Http) -> None:
    """One that is an id is kept."""
    kept = await api.get("/livez", headers={"x-correlation-id": "abc"})
    replaced = await api.get("/livez", headers={"x-correlation-id": "a b"})
    assert kept.headers["x-correlation-id"] == "abc"
    assert len(replaced.headers["x-correlation-id"]) == 32


async def test_no_redis_is_no_reason_to_refuse_a_sign_in(serve: Serve, nowhere: SecretStr) -> None:
    """The limit is counted alone."""
    async with serve(redis_url=nowhere) as gateway, http(gateway.url) as api:
        response = await api.post("/v1/auth/login", json={"name": ADA.name, "password": PASSWORD})
        assert response.status == 200
