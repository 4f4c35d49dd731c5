"""Exchanges, instruments and what was wrong with their candles."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from signals.engine.timeframe import Timeframe
from signals.market.models import (
    Candle,
    DataQualityIssue,
    Exchange,
    Instrument,
    ItemFailure,
    SentimentFeed,
    SentimentReading,
)


def one_line(text: str) -> SafeString:
    """The beginning of a text on one line; a click shows the rest."""
    return format_html('<details class="reason"><summary>{}</summary></details>', text)


@admin.register(Exchange)
class ExchangeAdmin(ModelAdmin):
    list_display = ["name", "code", "is_simulated"]
    search_fields = ["name", "code"]

    def get_readonly_fields(self, request: HttpRequest, obj: Exchange | None = None) -> list[str]:
        """Its code stands in the ledger, where the database refuses a change: what has candles keeps its name."""
        in_use = obj is not None and Candle.objects.filter(instrument__exchange=obj).exists()
        return ["is_simulated", "code"] if in_use else ["is_simulated"]

    def save_model(self, request: HttpRequest, obj: Exchange, form: Any, change: bool) -> None:  # noqa: FBT001
        """Where prices come from is not a matter of opinion."""
        if not change:
            obj.is_simulated = settings.SANDBOX
        super().save_model(request, obj, form, change)


@admin.register(Instrument)
class InstrumentAdmin(ModelAdmin):
    list_display = ["symbol", "exchange", "aliases", "is_active", "newest_hourly_candle", "chart"]
    first_row = "Candles come within a minute after the first instrument is added."
    list_filter = ["is_active", "exchange", "quote", "asset_class", "market_type"]
    list_select_related = ["exchange"]
    search_fields = ["symbol", "base", "quote"]
    actions = ["activate", "deactivate"]

    def get_readonly_fields(self, request: HttpRequest, obj: Instrument | None = None) -> list[str]:
        """The exchange tells its rules; what has candles keeps its name, for the ledger names it too."""
        told = ["tick_size", "lot_step", "minimum_amount", "minimum_notional", "rules_known_at"]
        in_use = obj is not None and Candle.objects.filter(instrument=obj).exists()
        return [*told, "exchange", "symbol"] if in_use else told

    def get_queryset(self, request: HttpRequest) -> QuerySet[Instrument]:
        queryset: QuerySet[Instrument] = super().get_queryset(request).with_newest_candle(Timeframe.H1)
        return queryset

    @admin.display(description="Newest 1h candle opened", ordering="newest_open_time", empty_value="none yet")
    def newest_hourly_candle(self, instrument: Any) -> datetime | None:
        opened: datetime | None = instrument.newest_open_time
        return opened

    @admin.display(description="Chart")
    def chart(self, instrument: Any) -> SafeString:
        """Where that page is, settings know: it belongs to an app above this one."""
        return format_html('<a href="{}">Candles and signals</a>', instrument.get_absolute_url())

    @admin.action(description="Fetch and evaluate the selected instruments", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self.switch(request, queryset, is_active=True)

    @admin.action(description="Stop fetching and evaluating the selected instruments", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self.switch(request, queryset, is_active=False)

    def switch(self, request: HttpRequest, queryset: QuerySet[Instrument], *, is_active: bool) -> None:
        word = "active" if is_active else "inactive"
        switched = list(queryset.exclude(is_active=is_active))
        Instrument.objects.filter(pk__in=[instrument.pk for instrument in switched]).update(
            is_active=is_active
        )
        for instrument in switched:
            self.log_change(request, instrument, f"Made {word}.")
        self.message_user(request, f"{len(switched)} instruments are now {word}.")


@admin.register(DataQualityIssue)
class DataQualityIssueAdmin(ModelAdmin):
    """A record of what was seen: read, never edited."""

    list_display = [
        "instrument",
        "timeframe",
        "open_time",
        "kind",
        "action",
        "shown_detail",
    ]
    first_row = "None was found yet. Candles are inspected as they come."
    list_filter = ["action", "kind", "timeframe", "instrument", "source"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol", "detail", "source"]
    date_hierarchy = "open_time"

    @admin.display(description="Detail", ordering="detail")
    def shown_detail(self, issue: DataQualityIssue) -> SafeString:
        return one_line(issue.detail)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DataQualityIssue | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DataQualityIssue | None = None) -> bool:
        return False


@admin.register(ItemFailure)
class ItemFailureAdmin(ModelAdmin):
    """What keeps failing at the moment: read, never edited."""

    list_display = ["task", "item", "failures", "first_failed_at", "failed_at", "shown_error"]
    first_row = "Nothing keeps failing: a row stands here while one item of a task over many fails."
    list_filter = ["task"]
    search_fields = ["item", "error"]

    @admin.display(description="Error", ordering="error")
    def shown_error(self, failure: ItemFailure) -> SafeString:
        return one_line(failure.error)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ItemFailure | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ItemFailure | None = None) -> bool:
        return False


class RecordAdmin(ModelAdmin):
    """Read, never edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SentimentReading)
class SentimentReadingAdmin(RecordAdmin):
    """What was said, as it was first seen."""

    list_display = [
        "instrument",
        "source",
        "shown_score",
        "n",
        "is_degraded",
        "published_at",
        "shown_fetched",
        "shown_citations",
    ]
    first_row = "Readings come within five minutes where keys of xAI and Finnhub are set."
    list_filter = ["source", "is_degraded", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol", "reference"]
    date_hierarchy = "published_at"

    @admin.display(description="Score", ordering="score")
    def shown_score(self, reading: SentimentReading) -> str:
        return f"{reading.score:+.2f}"

    @admin.display(description="Fetched", ordering="fetched_at")
    def shown_fetched(self, reading: SentimentReading) -> str:
        return f"{reading.fetched_at:%d %b %H:%M}"

    @admin.display(description="Citations")
    def shown_citations(self, reading: SentimentReading) -> SafeString:
        titles = [str(each.get("title") or each.get("url")) for each in reading.citations]
        return one_line("; ".join(titles) or "none")


@admin.register(SentimentFeed)
class SentimentFeedAdmin(RecordAdmin):
    list_display = [
        "source",
        "answered_at",
        "failures",
        "quiet_until",
        "day",
        "calls",
        "shown_cost",
        "shown_error",
    ]
    first_row = "A source stands here once it has been asked."
    search_fields = ["source"]

    @admin.display(description="Cost today, USD", ordering="cost_usd")
    def shown_cost(self, feed: SentimentFeed) -> str:
        return f"{feed.cost_usd:.2f}"

    @admin.display(description="Error", ordering="error")
    def shown_error(self, feed: SentimentFeed) -> SafeString:
        return one_line(feed.error)
