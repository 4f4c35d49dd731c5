"""What is done with people and with the keys of programs."""

from users.services.api_keys import ApiKeyError, create_api_key, mark_used, revoke_api_key
from users.services.api_requests import (
    Answered,
    BodyChangedError,
    UnderWayError,
    answer_request,
    claim_request,
    forget_api_requests,
    release_request,
)
from users.services.invitations import (
    create_invitation,
    new_code,
    redeem_invitation_hash,
    revoke_invitation,
)
from users.services.sessions import end_session, forget_ended_sessions, seen
from users.services.settings import SettingError, change_settings
from users.services.staff_chats import issue_staff_token, redeem_staff_hash, staff_of
from users.services.subscribers import (
    TOKEN_LIFETIME,
    LinkError,
    LinkRefusal,
    SubscriberError,
    add_subscriber,
    archive_subscriber,
    issue_link_token,
    link_hash,
    mark_reachable,
    mark_unreachable,
    redeem_link_hash,
    redeem_link_token,
    remove_subscriber,
    restore_subscriber,
)
from users.services.subscriptions import change_tier, extend_subscription, shorten_subscription

__all__ = [
    "TOKEN_LIFETIME",
    "Answered",
    "ApiKeyError",
    "BodyChangedError",
    "LinkError",
    "LinkRefusal",
    "SettingError",
    "SubscriberError",
    "UnderWayError",
    "add_subscriber",
    "answer_request",
    "archive_subscriber",
    "change_settings",
    "change_tier",
    "claim_request",
    "create_api_key",
    "create_invitation",
    "end_session",
    "extend_subscription",
    "forget_api_requests",
    "forget_ended_sessions",
    "issue_link_token",
    "issue_staff_token",
    "link_hash",
    "mark_reachable",
    "mark_unreachable",
    "mark_used",
    "new_code",
    "redeem_invitation_hash",
    "redeem_link_hash",
    "redeem_link_token",
    "redeem_staff_hash",
    "release_request",
    "remove_subscriber",
    "restore_subscriber",
    "revoke_api_key",
    "revoke_invitation",
    "seen",
    "shorten_subscription",
    "staff_of",
]
