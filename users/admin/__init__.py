"""People and the keys of programs, in the console."""

from users.admin import api, people, sessions, subscriptions
from users.admin.people import HistoryAdmin, SubscriberAdmin

__all__ = ["HistoryAdmin", "SubscriberAdmin", "api", "people", "sessions", "subscriptions"]
