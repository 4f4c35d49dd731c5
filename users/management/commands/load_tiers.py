"""`manage.py load_tiers`: the four tiers, where they do not stand yet. Rows that were edited stay as they are."""

from typing import Any

from django.core.management.base import BaseCommand

from users.engine.subscriber import AccountType
from users.models import Tier

EVERY_ACCOUNT = [AccountType.DEMO.value, AccountType.LIVE.value]
TIERS: list[dict[str, Any]] = [
    {
        "code": "free",
        "name": "Free",
        "rank": 10,
        "delay_seconds": 900,
        "max_sessions": 1,
        "account_types": [AccountType.DEMO.value],
    },
    {"code": "standard", "name": "Standard", "rank": 20, "max_sessions": 2, "account_types": EVERY_ACCOUNT},
    {"code": "premium", "name": "Premium", "rank": 30, "max_sessions": None, "account_types": EVERY_ACCOUNT},
    {
        "code": "vip",
        "name": "VIP",
        "rank": 40,
        "max_sessions": None,
        "account_types": EVERY_ACCOUNT,
        "experimental": True,
    },
]


class Command(BaseCommand):
    help = "Create the tiers Free, Standard, Premium and VIP where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        created = [
            tier["code"] for tier in TIERS if Tier.objects.get_or_create(code=tier["code"], defaults=tier)[1]
        ]
        self.stdout.write(f"Tiers created: {', '.join(created)}" if created else "All tiers stand already.")
