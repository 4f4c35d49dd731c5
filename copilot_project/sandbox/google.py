"""Google's OAuth endpoints: authorization code flow with PKCE, tokens, keys and userinfo."""

import base64
import hashlib
import html
import json
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from copilot_project.sandbox.config import LOOPBACK_HOSTS

MODES = ("ok", "bad_issuer", "bad_audience", "expired", "bad_state", "replayed_jti")
KEY_ID = "sandbox"
LIFETIME_S = 3600
SCOPE = (
    "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile openid"
)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox: choose an account</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/_sandbox/pages/google.css"></head><body><main><h1>Choose an account</h1>
<p>Sandbox: a stand-in for Google. No password is asked.</p><ul>{items}</ul></main></body></html>"""


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in here."""

    email: str
    email_verified: bool = True

    @property
    def sub(self) -> str:
        """A stable 21-digit id, as Google's are."""
        number = int.from_bytes(hashlib.sha256(self.email.encode()).digest()[:8])
        return "1" + str(number).zfill(20)[:20]

    def claims(self) -> dict[str, object]:
        """Who it is, as in userinfo."""
        given = self.email.split("@")[0].split(".")[0].capitalize()
        return {
            "sub": self.sub,
            "email": self.email,
            "email_verified": self.email_verified,
            "name": f"{given} Sandbox",
            "given_name": given,
            "family_name": "Sandbox",
            "picture": "https://lh5.googleusercontent.com/photo.jpg",
            "locale": "en",
        }


@dataclass
class Google:
    """Accounts, codes that are waiting to be redeemed, and what shall go wrong."""

    accounts: dict[str, Account]
    mode: str = "ok"
    codes: dict[str, tuple[Account, dict[str, str]]] = field(default_factory=dict)
    tokens: dict[str, Account] = field(default_factory=dict)
    last_jti: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def id_token(self, account: Account, issuer: str, client_id: str, access_token: str) -> str:
        """A signed identity, wrong in the way that the mode asks for."""
        replay = self.mode == "replayed_jti" and self.last_jti
        self.last_jti = self.last_jti if replay else secrets.token_hex(16)
        now = int(time.time()) - (2 * LIFETIME_S if self.mode == "expired" else 0)
        digest = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = account.claims() | {
            "iss": "https://evil.example" if self.mode == "bad_issuer" else issuer,
            "azp": client_id,
            "aud": "somebody-else" if self.mode == "bad_audience" else client_id,
            "hd": account.email.split("@")[-1],
            "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": self.last_jti,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID})


GOOGLE = web.AppKey("google", Google)


async def authorize(request: web.Request) -> web.Response:
    """Pick an account, or go straight back with a code for `login_hint`. Raises 400 as Google's page does."""
    google, asked = request.app[GOOGLE], dict(request.query)
    missing = {"client_id", "redirect_uri", "response_type"} - set(asked)
    if missing:
        raise web.HTTPBadRequest(text=f"Error 400: invalid_request. Missing: {', '.join(sorted(missing))}")
    if urlsplit(asked["redirect_uri"]).hostname not in LOOPBACK_HOSTS:
        raise web.HTTPBadRequest(
            text="Error 400: redirect_uri_mismatch. The sandbox redirects to loopback only."
        )
    if asked["response_type"] != "code":
        raise web.HTTPBadRequest(text="Error 400: unsupported_response_type")
    email = asked.get("login_hint", "")
    if not email:
        return _choice_of_accounts(google, asked)
    account = google.accounts.setdefault(email, Account(email))
    code = f"4/{secrets.token_urlsafe(32)}"
    google.codes[code] = account, asked
    state = "wrong" if google.mode == "bad_state" else asked.get("state", "")
    answer = {"state": state, "code": code, "scope": asked.get("scope", SCOPE)}
    raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(answer)}")


def _choice_of_accounts(google: Google, asked: dict[str, str]) -> web.Response:
    items = "".join(
        f'<li><a href="?{html.escape(urlencode(asked | {"login_hint": email}))}">{html.escape(email)}'
        f"{'' if account.email_verified else ' <small>(not verified)</small>'}</a></li>"
        for email, account in google.accounts.items()
    )
    return web.Response(text=PAGE.format(items=items), content_type="text/html")


async def token(request: web.Request) -> web.Response:
    """Redeem a code once, with the PKCE verifier that belongs to it."""
    google, sent = request.app[GOOGLE], dict(await request.post())
    account, asked = google.codes.pop(str(sent.get("code")), (None, {}))
    if account is None or sent.get("redirect_uri") != asked["redirect_uri"]:
        return _grant_error("Malformed auth code.")
    if not _pkce_holds(asked, str(sent.get("code_verifier", ""))):
        return _grant_error("Invalid code verifier.")
    access_token = f"ya29.{secrets.token_urlsafe(48)}"
    google.tokens[access_token] = account
    issuer = f"{request.url.origin()}/google"
    return web.json_response(
        {
            "access_token": access_token,
            "expires_in": LIFETIME_S - 1,
            "scope": SCOPE,
            "token_type": "Bearer",
            "id_token": google.id_token(account, issuer, asked["client_id"], access_token),
        }
    )


def _pkce_holds(asked: dict[str, str], verifier: str) -> bool:
    challenge = asked.get("code_challenge")
    if challenge is None:
        return True
    if asked.get("code_challenge_method", "plain") == "plain":
        return secrets.compare_digest(challenge, verifier)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return secrets.compare_digest(challenge, digest)


def _grant_error(description: str) -> web.Response:
    return web.json_response({"error": "invalid_grant", "error_description": description}, status=400)


async def certs(request: web.Request) -> web.Response:
    """The public key, as a JSON Web Key Set."""
    key = json.loads(RSAAlgorithm.to_jwk(request.app[GOOGLE].key.public_key()))
    return web.json_response({"keys": [key | {"kid": KEY_ID, "alg": "RS256", "use": "sig"}]})


async def userinfo(request: web.Request) -> web.Response:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    account = request.app[GOOGLE].tokens.get(bearer or request.query.get("access_token", ""))
    if account is None:
        error = {"error": "invalid_request", "error_description": "Invalid Credentials"}
        return web.json_response(error, status=401)
    return web.json_response(account.claims() | {"profile": f"https://plus.google.com/{account.sub}"})


async def configure(request: web.Request) -> web.Response:
    """Set the mode and add or change an account; fields that are absent stay as they are."""
    google, asked = request.app[GOOGLE], await request.json()
    if asked.get("mode", "ok") not in MODES:
        raise web.HTTPBadRequest(text=f"mode must be one of {', '.join(MODES)}")
    google.mode = asked.get("mode", google.mode)
    if asked.get("email"):
        google.accounts[asked["email"]] = Account(asked["email"], bool(asked.get("email_verified", True)))
    return web.json_response({"mode": google.mode, "accounts": list(google.accounts)})


def add_google(app: web.Application, admin_emails: tuple[str, ...]) -> None:
    """`admin_emails` are the accounts offered, beside a stranger."""
    emails = (*admin_emails, "stranger@example.com")
    app[GOOGLE] = Google({email: Account(email) for email in emails})
    app.add_routes(
        [
            web.get("/google/o/oauth2/v2/auth", authorize),
            web.post("/google/token", token),
            web.get("/google/oauth2/v3/certs", certs),
            web.get("/google/oauth2/v3/userinfo", userinfo),
            web.post("/_sandbox/google", configure),
        ]
    )
