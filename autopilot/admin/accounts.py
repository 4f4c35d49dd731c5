"""Accounts, their money and what they were worth."""

from django.contrib import admin
from unfold.decorators import display

from autopilot.models import Account, BalanceEntry, EquityPoint
from autopilot.selectors import cash_of
from signals.admin.export import ExportedAdmin


@admin.register(Account)
class AccountAdmin(ExportedAdmin):
    list_display = ["name", "kind", "cash", "currency", "is_open", "created_at"]
    list_filter = ["kind", "is_open", "currency"]
    search_fields = ["name"]
    first_row = "An account is opened with the first autopilot that is started on paper."

    @display(description="Cash")
    def cash(self, account: Account) -> str:
        return f"{cash_of(account):,.2f}"


@admin.register(BalanceEntry)
class BalanceEntryAdmin(ExportedAdmin):
    list_display = ["at", "account", "kind", "shown_amount", "position"]
    list_filter = ["account", "kind"]
    list_select_related = ["account", "position__account", "position__instrument"]
    date_hierarchy = "at"
    first_row = "The first entry is the deposit with which an account is opened."

    @display(description="Amount", ordering="amount")
    def shown_amount(self, entry: BalanceEntry) -> str:
        return f"{entry.amount:+,.4f}"


@admin.register(EquityPoint)
class EquityPointAdmin(ExportedAdmin):
    list_display = ["at", "account", "shown_equity", "shown_exposure"]
    list_filter = ["account"]
    list_select_related = ["account"]
    date_hierarchy = "at"
    ordering = ["-at"]
    first_row = "The first point comes with the first candle that closes while an order waits."

    @display(description="Equity", ordering="equity")
    def shown_equity(self, point: EquityPoint) -> str:
        return f"{point.equity:,.2f}"

    @display(description="Exposure", ordering="exposure")
    def shown_exposure(self, point: EquityPoint) -> str:
        return f"{point.exposure:,.2f}"
