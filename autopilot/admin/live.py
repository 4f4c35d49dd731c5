"""Live trading as rows: keys without their secret, armings, freezes, comparisons, orders at exchanges."""

from django.contrib import admin
from unfold.decorators import display

from autopilot.admin.journal import plain
from autopilot.models import (
    ExchangeKey,
    Holding,
    LiveArming,
    LiveOrder,
    LiveOrderEvent,
    LiveTrade,
    Reconciliation,
    SymbolFreeze,
)
from signals.admin.export import ExportedAdmin

STATES = {
    "New": "info",
    "Submitting": "info",
    "Acked": "primary",
    "Part filled": "primary",
    "Unknown": "danger",
    "Filled": "success",
    "Cancelled": "info",
    "Refused": "warning",
    "Dropped": "warning",
    "Decided": "warning",
}
KEY_STATES = {"Usable": "success", "Refused": "danger"}
FIRST_ORDER = "It comes with the first order of an account that is armed for live trading."


@admin.register(ExchangeKey)
class ExchangeKeyAdmin(ExportedAdmin):
    """The ciphertext is neither shown nor exported."""

    list_display = ["account", "exchange", "shown", "shown_state", "ip_restricted", "stored_by", "checked_at"]
    list_filter = ["state", "exchange"]
    list_select_related = ["account", "exchange"]
    first_row = "It comes when a key is stored on the page Live trading."

    @display(description="State", ordering="state", label=KEY_STATES)
    def shown_state(self, key: ExchangeKey) -> str:
        return key.get_state_display()


@admin.register(LiveArming)
class LiveArmingAdmin(ExportedAdmin):
    list_display = [
        "account",
        "requested_at",
        "requested_by",
        "confirmed_at",
        "confirmed_by",
        "expires_at",
        "ended_at",
        "ended_by",
        "reason",
    ]
    list_filter = ["account"]
    list_select_related = ["account"]
    search_fields = ["reason", "requested_by", "confirmed_by"]
    date_hierarchy = "requested_at"
    first_row = "It comes when somebody asks to arm an account on the page Live trading."


@admin.register(SymbolFreeze)
class SymbolFreezeAdmin(ExportedAdmin):
    list_display = ["frozen_at", "account", "instrument", "cause", "note", "lifted_at", "lifted_by"]
    list_filter = ["cause", "account", "instrument"]
    list_select_related = ["account", "instrument__exchange"]
    date_hierarchy = "frozen_at"
    first_row = "It comes with the first order of unknown fate, or the first difference at an exchange."


@admin.register(Holding)
class HoldingAdmin(ExportedAdmin):
    list_display = ["account", "asset", "shown_quantity", "since", "accepted_by"]
    list_filter = ["account", "asset"]
    list_select_related = ["account"]
    first_row = "It comes with the first comparison that finds an asset which is not from our fills."

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, holding: Holding) -> str:
        return plain(holding.quantity)


@admin.register(Reconciliation)
class ReconciliationAdmin(ExportedAdmin):
    list_display = ["account", "at", "is_clean", "clock_offset_ms", "shown_findings"]
    list_filter = ["is_clean"]
    list_select_related = ["account"]
    first_row = "It comes when the executor first compares an account with its exchange."

    @display(description="What differs")
    def shown_findings(self, row: Reconciliation) -> str:
        return "; ".join(str(each) for each in row.findings) or "–"


@admin.register(LiveOrder)
class LiveOrderAdmin(ExportedAdmin):
    list_display = ["written_at", "order", "account", "shown_state", "shown_filled", "looks", "detail"]
    list_filter = ["state", "account", "instrument"]
    list_select_related = ["order__instrument__exchange", "account"]
    search_fields = ["order__client_order_id", "venue_order_id", "instrument__symbol"]
    search_help_text = "Client order id, the exchange's id or symbol"
    date_hierarchy = "written_at"
    first_row = FIRST_ORDER

    @display(description="State", ordering="state", label=STATES)
    def shown_state(self, live: LiveOrder) -> str:
        return live.get_state_display()

    @display(description="Filled / sent", ordering="filled")
    def shown_filled(self, live: LiveOrder) -> str:
        return f"{plain(live.filled)} / {plain(live.sent_quantity)}"


@admin.register(LiveOrderEvent)
class LiveOrderEventAdmin(ExportedAdmin):
    list_display = ["at", "live_order", "shown_state", "detail"]
    list_filter = ["state", "live_order__account"]
    list_select_related = ["live_order__order__instrument__exchange"]
    search_fields = ["live_order__order__client_order_id", "detail"]
    search_help_text = "Client order id or what the exchange said"
    date_hierarchy = "at"
    first_row = FIRST_ORDER

    @display(description="State", ordering="state", label=STATES)
    def shown_state(self, event: LiveOrderEvent) -> str:
        return event.get_state_display()


@admin.register(LiveTrade)
class LiveTradeAdmin(ExportedAdmin):
    list_display = [
        "traded_at",
        "account",
        "instrument",
        "side",
        "shown_quantity",
        "shown_price",
        "shown_fee",
        "is_ours",
    ]
    list_filter = ["account", "instrument", "side"]
    list_select_related = ["account", "instrument__exchange"]
    search_fields = ["trade_id", "venue_order_id", "instrument__symbol"]
    search_help_text = "The exchange's ids or symbol"
    date_hierarchy = "traded_at"
    first_row = "It comes with the first trade that an exchange tells of a live account."

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, trade: LiveTrade) -> str:
        return plain(trade.quantity)

    @display(description="Price", ordering="price")
    def shown_price(self, trade: LiveTrade) -> str:
        return plain(trade.price)

    @display(description="Fee", ordering="fee")
    def shown_fee(self, trade: LiveTrade) -> str:
        return f"{plain(trade.fee)} {trade.fee_asset}"

    @display(description="Ours", boolean=True)
    def is_ours(self, trade: LiveTrade) -> bool:
        return trade.fill_id is not None
