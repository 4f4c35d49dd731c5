"""The few pages of allauth that exist here: no sign-up, no password reset, no connecting of accounts.

Second factors have all of theirs.
"""

from allauth.account import views as account
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.google import views as google
from django.urls import include, path

from users.views import sessions
from users.views.login import Login
from users.views.passkey_login import challenge_once

registry.load()  # not at start: `LoginConfig`

urlpatterns = [
    path("login/", Login.as_view(), name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("2fa/webauthn/login/", challenge_once(webauthn.login_webauthn), name="mfa_login_webauthn"),
    path("2fa/", include("allauth.mfa.urls")),
    path("sessions/", sessions.my_sessions, name="my_sessions"),
    path("sessions/end/", sessions.end, name="end_my_session"),
    path("google/login/", google.oauth2_login, name="google_login"),
    path("google/login/callback/", google.oauth2_callback, name="google_callback"),
    path("login/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("login/error/", socialaccount.login_error, name="socialaccount_login_error"),
]
