"""`manage.py api_key create --user NAME --name … --scopes read trade`, `list`, `revoke KEY`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from users.engine.api_key import ApiScope
from users.models import ApiKey, Tier, User
from users.services import ApiKeyError, create_api_key, revoke_api_key

COLUMNS = "{:>5}  {:<16}  {:<24}  {:<16}  {:<16}  {:<9}  {:<17}  {}"


class Command(BaseCommand):
    help = "Make, list and revoke keys of the API. A key is printed once, when it is made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="print a new key")
        create.add_argument("--user", help="whose key it is (the only superuser, if there is one)")
        create.add_argument("--name", default="made at the terminal", help="what will use it (%(default)s)")
        create.add_argument(
            "--scopes", nargs="+", choices=list(ApiScope), default=[ApiScope.READ], help="(read)"
        )
        create.add_argument(
            "--tier", help="code of the tier whose delay holds; without it the key is staff's"
        )
        create.add_argument("--days", type=int, help="how long it is good; without it there is no end")
        actions.add_parser("list", help="every key: never the key itself")
        revoke = actions.add_parser("revoke", help="it opens nothing from now on")
        revoke.add_argument("key", help="number, beginning or name, as `list` shows them")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, action)(options)

    def create(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        days = options["days"]
        try:
            row, key = create_api_key(
                user=the_user(options["user"]),
                name=options["name"],
                scopes=[ApiScope(scope) for scope in options["scopes"]],
                tier=the_tier(options["tier"]),
                expires_at=None if days is None else now + timedelta(days=days),
                now=now,
            )
        except ApiKeyError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Key {row.pk} of {row.user}: {', '.join(row.scopes)}. It is shown only now.")
        self.stdout.write(key)

    def list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        self.stdout.write(
            COLUMNS.format("id", "begins", "name", "user", "scopes", "tier", "last used", "state")
        )
        for key in ApiKey.objects.select_related("user", "tier"):
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
            tier = key.tier.code if key.tier else "staff"
            name, user, scopes = key.name[:24], key.user.get_username()[:16], ",".join(key.scopes)
            self.stdout.write(
                COLUMNS.format(key.pk, key.prefix, name, user, scopes, tier, used, state_of(key, now))
            )

    def revoke(self, options: dict[str, Any]) -> None:
        wanted = options["key"]
        matching = ApiKey.objects.filter(prefix=wanted) | ApiKey.objects.filter(name=wanted)
        if wanted.isdecimal():
            matching |= ApiKey.objects.filter(pk=int(wanted[:18]))
        found = list(matching)
        if len(found) != 1:
            raise CommandError(
                f"{len(found)} keys are called {wanted}: name one by its number from `api_key list`"
            )
        done = revoke_api_key(key=found[0], now=timezone.now())
        self.stdout.write(f"{found[0]} {'is revoked' if done else 'was revoked already'}.")


def the_user(name: str | None) -> User:
    if name:
        user = User.objects.filter(username=name).first() or User.objects.filter(email__iexact=name).first()
        if user is None:
            raise CommandError(f"nobody is called {name}: `manage.py createsuperuser` makes one")
        return user
    superusers = list(User.objects.filter(is_superuser=True, is_active=True)[:2])
    if len(superusers) != 1:
        raise CommandError("say whose key it is: --user NAME")
    return superusers[0]


def the_tier(code: str | None) -> Tier | None:
    tier = Tier.objects.filter(code=code).first() if code else None
    if code and tier is None:
        known = ", ".join(Tier.objects.values_list("code", flat=True)) or "none"
        raise CommandError(f"no tier has the code {code}; there are: {known}")
    return tier


def state_of(key: ApiKey, now: Any) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at:
        return f"{'good until' if key.is_open(now) else 'expired'} {key.expires_at:%Y-%m-%d %H:%M}"
    return "good"
