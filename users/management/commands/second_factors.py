"""`manage.py second_factors list`, `remove NAME`: for somebody of the staff who lost them."""

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_removed
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from users.models import StaffSession, User
from users.services import end_session


class Command(BaseCommand):
    help = "Who of the staff has which second factors; remove those of one who lost them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="who has which")
        remove = actions.add_parser("remove", help="all of one, whose sessions end as well")
        remove.add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "list":
            for factor in Authenticator.objects.select_related("user").order_by("user__username", "type"):
                self.stdout.write(f"{factor.user.get_username()}  {factor.get_type_display()}")
            return
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"Nobody is called {options['name']}.")
        factors = list(Authenticator.objects.filter(user=user))
        for factor in factors:
            factor.delete()
            authenticator_removed.send(sender=Authenticator, request=None, user=user, authenticator=factor)
        for session in StaffSession.objects.under_way(timezone.now()).filter(user=user):
            end_session(session=session, now=timezone.now())
        self.stdout.write(
            f"{len(factors)} removed. {user.get_username()} logs in without one and sets up another."
        )
