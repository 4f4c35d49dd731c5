import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

from tests.copilot_project.sandbox.served import Served

REDIRECT = "http://127.0.0.1:8000/accounts/google/login/callback/"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


async def code_for(served: Served, email: str = "admin@example.com") -> tuple[str, str]:
    asked = {
        "client_id": "cid",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "state": "st",
        "login_hint": email,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    address = f"{served.url}/google/o/oauth2/v2/auth?{urlencode(asked)}"
    async with served.http.get(address, allow_redirects=False) as response:
        answer = parse_qs(urlsplit(response.headers["Location"]).query)
    return answer["code"][0], answer["state"][0]


async def redeem(served: Served, code: str, verifier: str = VERIFIER) -> dict[str, str]:
    form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": verifier}
    async with served.http.post(served.url + "/google/token", data=form) as response:
        return await response.json()  # type: ignore[no-any-return]


async def identity(served: Served) -> dict[str, object]:
    token = (await redeem(served, (await code_for(served))[0]))["id_token"]
    return jwt.decode(token, options={"verify_signature": False})


async def test_code_flow_gives_a_token_that_the_published_key_verifies(served: Served) -> None:
    answer = await redeem(served, (await code_for(served))[0])
    _, _, keys = await served.get("/google/oauth2/v3/certs")
    claims = jwt.decode(answer["id_token"], jwt.PyJWK(keys["keys"][0]), algorithms=["RS256"], audience="cid")
    assert claims["iss"] == f"{served.url}/google"
    assert (claims["email"], claims["email_verified"]) == ("admin@example.com", True)


async def test_code_is_redeemed_once_and_only_with_its_verifier(served: Served) -> None:
    code, _ = await code_for(served)
    assert (await redeem(served, code, "another"))["error"] == "invalid_grant"
    code, _ = await code_for(served)
    assert "id_token" in await redeem(served, code)
    assert (await redeem(served, code))["error"] == "invalid_grant"


async def test_fields_equal_the_recorded_ones(served: Served, shared_data: Path) -> None:
    folder = shared_data / "payloads" / "google_oauth"
    recorded = json.loads((folder / "token_and_id_token.json").read_text())
    answer = await redeem(served, (await code_for(served))[0])
    claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with served.http.get(served.url + "/google/oauth2/v3/userinfo", headers=headers) as response:
        person = await response.json()
    assert set(answer) == set(recorded["token_response"])
    assert set(claims) == set(recorded["id_token_payload"]) | {"jti"}
    assert set(person) == set(json.loads((folder / "userinfo.json").read_text())["response"])


@pytest.mark.parametrize(
    ("mode", "claim", "wrong"),
    [("bad_issuer", "iss", "https://evil.example"), ("bad_audience", "aud", "somebody-else")],
)
async def test_mode_spoils_one_claim(served: Served, mode: str, claim: str, wrong: str) -> None:
    await served.post("/_sandbox/google", {"mode": mode})
    assert (await identity(served))[claim] == wrong


async def test_expired_mode_gives_an_expired_token(served: Served) -> None:
    await served.post("/_sandbox/google", {"mode": "expired"})
    token = (await redeem(served, (await code_for(served))[0]))["id_token"]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, options={"verify_signature": False, "verify_exp": True})


async def test_replay_mode_repeats_the_last_jti(served: Served) -> None:
    first = await identity(served)
    await served.post("/_sandbox/google", {"mode": "replayed_jti"})
    assert (await identity(served))["jti"] == first["jti"]


async def test_bad_state_mode_returns_another_state(served: Served) -> None:
    await served.post("/_sandbox/google", {"mode": "bad_state"})
    assert (await code_for(served))[1] != "st"


async def test_unverified_account_says_so(served: Served) -> None:
    await served.post("/_sandbox/google", {"email": "admin@example.com", "email_verified": False})
    assert (await identity(served))["email_verified"] is False
