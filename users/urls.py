"""The few pages of allauth that exist here: no sign-up, no password reset, no connecting of accounts."""

from allauth.account import views as account
from allauth.socialaccount import views as socialaccount
from allauth.socialaccount.providers.google import views as google
from django.urls import path

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("google/login/", google.oauth2_login, name="google_login"),
    path("google/login/callback/", google.oauth2_callback, name="google_callback"),
    path("login/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("login/error/", socialaccount.login_error, name="socialaccount_login_error"),
]
