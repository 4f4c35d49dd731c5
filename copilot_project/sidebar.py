"""The console's menu: what the person may see, in the order in which a day is worked."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from autopilot.urls import INSTANCE_RIGHTS, LIVE_RIGHTS, MODEL_RIGHTS
from research.urls import (
    DELIVERY_RIGHTS,
    EXPERIMENT_RIGHTS,
    INSTRUMENT_RIGHTS,
    JOB_RIGHTS,
    POLICY_RIGHTS,
    PORTFOLIO_RIGHTS,
    RESEARCH_RIGHTS,
    SENTIMENT_RIGHTS,
    SIGNAL_RIGHTS,
    SWEEP_RIGHTS,
)


@dataclass(frozen=True)
class Page:
    """A page of ours. `icon` is a Material Symbol; `rights`: all are needed; `group` "" = on top."""

    title: str
    icon: str
    url_name: str
    rights: tuple[str, ...] = ()
    group: str = ""


PAGES = (
    Page("Overview", "monitoring", "admin:index"),
    Page("Charts", "candlestick_chart", "research:charts", INSTRUMENT_RIGHTS),
    Page("Deliveries live", "timeline", "research:deliveries", DELIVERY_RIGHTS),
    Page("Analytics", "query_stats", "research:analytics", SIGNAL_RIGHTS, group="Signals"),
    Page("Sentiment", "mood", "research:sentiment", SENTIMENT_RIGHTS, group="Signals"),
    Page("Archive", "inventory_2", "research:archive", SIGNAL_RIGHTS, group="Signals"),
    Page("Autopilot", "smart_toy", "autopilot:autopilots", INSTANCE_RIGHTS, group="Trading"),
    Page("Live trading", "bolt", "autopilot:live", LIVE_RIGHTS, group="Trading"),
    Page("AI management", "model_training", "autopilot:models", MODEL_RIGHTS, group="Trading"),
    Page("Backtests", "science", "research:backtests", RESEARCH_RIGHTS, group="Research"),
    Page("Sweeps", "grid_on", "research:sweeps", SWEEP_RIGHTS, group="Research"),
    Page("AI management: policies", "psychology", "research:policies", POLICY_RIGHTS, group="Research"),
    Page("Portfolio", "pie_chart", "research:portfolios", PORTFOLIO_RIGHTS, group="Research"),
    Page("A/B tests", "alt_route", "research:experiments", EXPERIMENT_RIGHTS, group="Research"),
    Page("Jobs", "work_history", "research:jobs", JOB_RIGHTS, group="System"),
)

# Title, then (model, Material Symbols icon). Pages of a group stand before its models.
GROUPS = (
    (
        "Subscribers",
        (
            ("users.Subscriber", "group"),
            ("users.Tier", "layers"),
            ("users.Invitation", "card_giftcard"),
            ("notifications.StarsPayment", "star"),
        ),
    ),
    (
        "Signals",
        (
            ("signals.Signal", "trending_up"),
            ("signals.SignalOutcome", "flag"),
            ("signals.LedgerEntry", "link"),
            ("signals.LedgerHead", "approval"),
            ("signals.Evaluation", "fact_check"),
            ("signals.VolatilityFit", "ssid_chart"),
            ("signals.AnomalyForest", "forest"),
            ("signals.PartnerChoice", "join_inner"),
            ("signals.PolicyChoice", "psychology"),
            ("signals.Evidence", "balance"),
            ("signals.ShadowOutcome", "visibility_off"),
            ("signals.StrategyWeight", "balance"),
        ),
    ),
    (
        "Trading",
        (
            ("autopilot.Instance", "smart_toy"),
            ("autopilot.Decision", "psychology"),
            ("autopilot.Account", "account_balance_wallet"),
            ("autopilot.Position", "donut_large"),
            ("autopilot.Order", "receipt"),
            ("autopilot.Fill", "done_all"),
            ("autopilot.Trade", "swap_vert"),
            ("autopilot.BalanceEntry", "payments"),
            ("autopilot.EquityPoint", "show_chart"),
        ),
    ),
    (
        "Live trading",
        (
            ("autopilot.LiveOrder", "send_money"),
            ("autopilot.LiveOrderEvent", "timeline"),
            ("autopilot.LiveTrade", "handshake"),
            ("autopilot.LiveArming", "lock_open"),
            ("autopilot.ExchangeKey", "vpn_key"),
            ("autopilot.Reconciliation", "compare_arrows"),
            ("autopilot.SymbolFreeze", "ac_unit"),
            ("autopilot.Holding", "savings"),
        ),
    ),
    (
        "Deliveries",
        (
            ("notifications.Delivery", "send"),
            ("notifications.Notice", "notifications"),
            ("notifications.Feedback", "thumbs_up_down"),
            ("notifications.TelegramUpdate", "inbox"),
            ("notifications.SenderState", "outgoing_mail"),
            ("notifications.SenderLease", "key"),
        ),
    ),
    (
        "Market",
        (
            ("market.Instrument", "currency_bitcoin"),
            ("market.Exchange", "account_balance"),
            ("market.DataQualityIssue", "report"),
            ("market.SentimentReading", "mood"),
            ("market.SentimentFeed", "rss_feed"),
        ),
    ),
    (
        "Research",
        (
            ("research.Study", "biotech"),
            ("research.Trial", "experiment"),
            ("research.Backtest", "science"),
            ("research.Sweep", "grid_on"),
            ("research.PortfolioStudy", "pie_chart"),
            ("signals.Experiment", "compare_arrows"),
            ("signals.TrainedModel", "model_training"),
            ("research.PolicyCheckpoint", "save"),
            ("research.ReplayRun", "history"),
            ("research.ReplaySignal", "show_chart"),
        ),
    ),
    (
        "System",
        (
            ("signals.KillSwitch", "emergency_home"),
            ("signals.KillSwitchChange", "history_toggle_off"),
            ("signals.Action", "receipt_long"),
            ("signals.Alarm", "notification_important"),
            ("signals.Job", "work"),
            ("market.ItemFailure", "error"),
            ("signals.Heartbeat", "ecg_heart"),
            ("signals.ScheduledSlot", "schedule"),
            ("users.User", "manage_accounts"),
            ("users.StaffSession", "devices"),
            ("users.ApiKey", "vpn_key"),
            ("users.ApiRequest", "sync_alt"),
            ("notifications.WebhookEndpoint", "webhook"),
            ("notifications.WebhookDelivery", "outbox"),
            ("socialaccount.SocialAccount", "badge"),
            ("auth.Group", "shield_person"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold asks for this at each page. A group without anything to see is left out."""
    groups = [
        {
            "title": title,
            "separator": True,
            "items": [*page_items(title, request), *menu_items(models, request)],
        }
        for title, models in GROUPS
    ]
    return [{"items": page_items("", request)}, *(group for group in groups if group["items"])]


def page_items(group: str, request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": page.title, "icon": page.icon, "link": reverse(page.url_name)}
        for page in PAGES
        if page.group == group and request.user.has_perms(page.rights)
    ]


def menu_items(models: tuple[tuple[str, str], ...], request: HttpRequest) -> list[dict[str, Any]]:
    items = []
    for label, icon in models:
        model = apps.get_model(label)
        if admin.site.is_registered(model) and admin.site.get_model_admin(model).has_view_permission(request):
            options = model._meta  # noqa: SLF001  (Django's documented API)
            link = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            items.append({"title": options.verbose_name_plural.capitalize(), "icon": icon, "link": link})
    return items


def environment(request: HttpRequest) -> list[str] | None:
    """The label in the corner of every page: simulated data is called simulated wherever it is shown."""
    return ["Sandbox", "warning"] if settings.SANDBOX else None
