"""The trading journal: orders with their reasons, fills, positions, trades."""

from decimal import Decimal

from django.contrib import admin
from unfold.decorators import display

from autopilot.models import Fill, Order, Position, Trade
from signals.admin.export import ExportedAdmin
from signals.admin.read_only import DIRECTION_LABELS
from signals.engine.digits import price_text

SIDE_LABELS = {"Buy": "success", "Sell": "danger"}
STATE_LABELS = {
    "Open": "primary",
    "Filled": "success",
    "Refused": "warning",
    "Rejected": "warning",
    "Lapsed": "info",
    "Cancelled": "info",
}
FIRST = "It comes with the first order of an autopilot that executes on paper."


def plain(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount.normalize():,f}"


@admin.register(Order)
class OrderAdmin(ExportedAdmin):
    list_display = [
        "placed_at",
        "instrument",
        "shown_side",
        "type",
        "purpose",
        "shown_price",
        "shown_quantity",
        "shown_state",
        "why",
    ]
    list_filter = ["state", "account", "instrument", "purpose", "type", "side", "reason_code", "strategy"]
    list_select_related = ["account", "instrument__exchange"]
    search_fields = ["client_order_id", "instrument__symbol", "strategy"]
    search_help_text = "Client order id, symbol or strategy"
    date_hierarchy = "placed_at"
    first_row = FIRST

    @display(description="Side", ordering="side", label=SIDE_LABELS)
    def shown_side(self, order: Order) -> str:
        return order.get_side_display()

    @display(description="Price", ordering="price")
    def shown_price(self, order: Order) -> str:
        return "–" if order.price is None else price_text(float(order.price), order.instrument.tick_size)

    @display(description="Filled / quantity", ordering="quantity")
    def shown_quantity(self, order: Order) -> str:
        return f"{plain(order.filled)} / {plain(order.quantity)}"

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, order: Order) -> str:
        return order.get_state_display()

    @display(description="Why")
    def why(self, order: Order) -> str:
        return order.reason or "–"


@admin.register(Fill)
class FillAdmin(ExportedAdmin):
    list_display = [
        "candle_open_time",
        "instrument",
        "shown_side",
        "shown_quantity",
        "shown_price",
        "shown_fee",
        "reason",
        "is_ambiguous",
    ]
    list_filter = ["reason", "side", "position__account", "position__instrument", "is_ambiguous"]
    list_select_related = ["position__instrument__exchange", "order"]
    search_fields = ["order__client_order_id", "position__instrument__symbol"]
    search_help_text = "Client order id or symbol"
    date_hierarchy = "candle_open_time"
    first_row = "The first fill comes when a candle closes after the first order was placed."

    @display(description="Instrument", ordering="position__instrument__symbol")
    def instrument(self, fill: Fill) -> str:
        return str(fill.position.instrument)

    @display(description="Side", ordering="side", label=SIDE_LABELS)
    def shown_side(self, fill: Fill) -> str:
        return fill.get_side_display()

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, fill: Fill) -> str:
        return plain(fill.quantity)

    @display(description="Price", ordering="price")
    def shown_price(self, fill: Fill) -> str:
        return price_text(float(fill.price), fill.position.instrument.tick_size)

    @display(description="Fee", ordering="fee")
    def shown_fee(self, fill: Fill) -> str:
        return f"{fill.fee:,.4f}"


@admin.register(Position)
class PositionAdmin(ExportedAdmin):
    list_display = [
        "account",
        "instrument",
        "timeframe",
        "shown_quantity",
        "shown_average",
        "shown_close",
        "clock",
    ]
    list_filter = ["account", "instrument", "timeframe"]
    list_select_related = ["account", "instrument__exchange"]
    search_fields = ["instrument__symbol", "account__name"]
    first_row = FIRST

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, position: Position) -> str:
        return plain(position.quantity)

    @display(description="Average price")
    def shown_average(self, position: Position) -> str:
        average = position.average_price
        return "–" if average is None else price_text(float(average), position.instrument.tick_size)

    @display(description="Last close")
    def shown_close(self, position: Position) -> str:
        close = position.last_close
        return "–" if close is None else price_text(float(close), position.instrument.tick_size)


@admin.register(Trade)
class TradeAdmin(ExportedAdmin):
    list_display = [
        "exited_at",
        "instrument",
        "shown_direction",
        "shown_entry",
        "shown_exit",
        "exit_reason",
        "shown_r",
        "shown_profit",
    ]
    list_filter = ["account", "instrument", "direction", "exit_reason", "strategy", "is_ambiguous"]
    list_select_related = ["account", "instrument__exchange"]
    search_fields = ["instrument__symbol", "strategy", "account__name"]
    date_hierarchy = "exited_at"
    first_row = "The first trade stands here when the first position has been closed."

    @display(description="Direction", ordering="direction", label=DIRECTION_LABELS)
    def shown_direction(self, trade: Trade) -> str:
        return trade.get_direction_display()

    @display(description="Entry", ordering="entry_price")
    def shown_entry(self, trade: Trade) -> str:
        return price_text(float(trade.entry_price), trade.instrument.tick_size)

    @display(description="Exit", ordering="exit_price")
    def shown_exit(self, trade: Trade) -> str:
        return price_text(float(trade.exit_price), trade.instrument.tick_size)

    @display(description="R after costs", ordering="r_multiple")
    def shown_r(self, trade: Trade) -> str:
        return "–" if trade.r_multiple is None else f"{trade.r_multiple:+.2f}"

    @display(description="Net profit", ordering="net_profit")
    def shown_profit(self, trade: Trade) -> str:
        return f"{trade.net_profit:+,.2f}"
