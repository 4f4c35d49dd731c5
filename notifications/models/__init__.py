"""Who gets which signal when, what became of it, and what came back."""

from notifications.models.delivery import (
    OPEN_STATES,
    Delivery,
    DeliveryKind,
    DeliveryState,
    ExclusionRecord,
)
from notifications.models.feedback import Answer, Feedback
from notifications.models.head import HeadAnnouncement, HeadPlace
from notifications.models.inbox import ChatState, ReplyTurn, TelegramUpdate
from notifications.models.notice import Notice, NoticeKind
from notifications.models.payment import StarsPayment
from notifications.models.picture import SignalPicture
from notifications.models.preference import (
    DeliveryPreference,
    LocalTime,
    PreferenceInstrument,
    require_timezone,
)
from notifications.models.sender import SenderLease, SenderState
from notifications.models.webhook import UNSETTLED, WebhookDelivery, WebhookEndpoint, WebhookState

__all__ = [
    "OPEN_STATES",
    "UNSETTLED",
    "Answer",
    "ChatState",
    "Delivery",
    "DeliveryKind",
    "DeliveryPreference",
    "DeliveryState",
    "ExclusionRecord",
    "Feedback",
    "HeadAnnouncement",
    "HeadPlace",
    "LocalTime",
    "Notice",
    "NoticeKind",
    "PreferenceInstrument",
    "ReplyTurn",
    "SenderLease",
    "SenderState",
    "SignalPicture",
    "StarsPayment",
    "TelegramUpdate",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookState",
    "require_timezone",
]
