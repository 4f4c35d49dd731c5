"""People: staff, tiers, subscribers; and the keys by which programs speak for them."""

from users.models.api import ApiKey, ApiRequest
from users.models.people import LinkToken, Subscriber, SubscriberQuerySet, Tier, User, choices
from users.models.staff_chat import StaffChat
from users.models.staff_session import StaffSession
from users.models.subscriptions import Invitation, InvitationUse

__all__ = [
    "ApiKey",
    "ApiRequest",
    "Invitation",
    "InvitationUse",
    "LinkToken",
    "StaffChat",
    "StaffSession",
    "Subscriber",
    "SubscriberQuerySet",
    "Tier",
    "User",
    "choices",
]
