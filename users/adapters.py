"""Who may log in. allauth asks here at each login, Django at each request.

ADMIN_EMAILS in the environment is the grant of staff: nothing that can be done in the console widens
it. A person on it gets the role `admin`, which works with everything but users, groups and their
rights; those belong to the superuser that was made at the terminal.
"""

import base64
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend as AllauthBackend
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, Group
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from users.events import login_refused
from users.models import User

ADMIN_GROUP = "admin"

log = structlog.get_logger(__name__)


def may_log_in(user: User) -> bool:
    """Whether an account is open: on the allow-list, or with a password where passwords are allowed."""
    return user.email.lower() in settings.ADMIN_EMAILS or (
        settings.PASSWORD_LOGIN and user.has_usable_password()
    )


class AuthenticationBackend(AllauthBackend):
    """Ends sessions too: who is taken off the list is out at the next request after the restart."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractBaseUser | None:
        """One hash for each try, whoever is named: allauth's own takes two where the e-mail exists, else one."""
        password = credentials.get("password")
        if not settings.PASSWORD_LOGIN or not password:
            return None
        user = named_user(credentials.get("email") or credentials.get("username") or "")
        if user is None:
            User().set_password(password)
            return None
        return self._check_password(user, password)

    def get_user(self, user_id: int) -> User | None:
        user = super().get_user(user_id)
        return user if user and may_log_in(user) else None


def named_user(login: str) -> User | None:
    """Whose e-mail or user name this is."""
    by_email = User.objects.filter(email__iexact=login).first() if "@" in login else None
    return by_email or User.objects.filter(username__iexact=login).first()


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Failures count by address and name together: by name alone a stranger could lock anybody out."""
        name = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{self.get_client_ip(request)} {name}"

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, Any]]:
        """Who has a second factor shows it: a password alone may have been read over a shoulder."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        factors = [method for method in methods if method["id"] != "reauthenticate"]
        return factors or methods


class MFAAdapter(DefaultMFAAdapter):
    """Secrets of second factors are kept encrypted: a stolen dump of the database opens nothing."""

    def encrypt(self, text: str) -> str:
        return factor_cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return factor_cipher().decrypt(encrypted_text.encode()).decode()


def factor_cipher() -> Fernet:
    """Its key is made of SECRET_KEY, so another SECRET_KEY ends authenticator apps and recovery codes, not passkeys."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"copilot second factors")
    return Fernet(base64.urlsafe_b64encode(kdf.derive(settings.SECRET_KEY.encode())))


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse with 403, before any row is written, whoever is not on the list.

        Raising anything else, or closing the sign-up, would let allauth offer its own forms.
        """
        if refusal := refusal_of(sociallogin):
            provider = sociallogin.account.provider
            log.warning("login refused", provider=provider, reason=refusal)
            login_refused.send(sender=SocialAccount, request=request, provider=provider, reason=refusal)
            page = render(request, "socialaccount/refused.html", {"refusal": refusal}, status=403)
            raise ImmediateHttpResponse(page)
        if not sociallogin.is_existing:
            known = User.objects.filter(email__iexact=sociallogin.account.extra_data["email"]).first()
            if known:  # made at the terminal with this address, which Google has verified
                sociallogin.connect(request, known)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return refusal_of(sociallogin) is None

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        user.is_staff = True
        user.save(update_fields=["is_staff"])
        user.groups.add(Group.objects.get_or_create(name=ADMIN_GROUP)[0])
        return user


def refusal_of(sociallogin: SocialLogin) -> str | None:
    """Why this Google account may not log in, as a word for the template; None when it may."""
    claims = sociallogin.account.extra_data
    email = str(claims.get("email", "")).lower()
    if sociallogin.state.get("process") != AuthProcess.LOGIN:
        return "not_a_login"
    if claims.get("email_verified") is not True:
        return "unverified"
    if email not in settings.ADMIN_EMAILS:
        return "stranger"
    if sociallogin.is_existing:
        return None if sociallogin.user.email.lower() == email else "other_address"
    # An address can change hands; Google's `sub` cannot.
    taken = SocialAccount.objects.filter(provider=sociallogin.account.provider, user__email__iexact=email)
    return "other_account" if taken.exists() else None
