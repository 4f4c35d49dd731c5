"""Instruments and their candles.

`Candle` is the truth. `CandleChunk` holds a closed UTC day of it once more, as one immutable
block that numpy reads without parsing; it is rebuilt when a candle of that day is corrected.
"""

from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from signals.engine.cost_rates import CostRates, MarketType, rates_for
from signals.engine.quality_kind import QualityAction, QualityKind
from signals.engine.sentiment import LONGEST, Reading, SentimentSource
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe

TIMEFRAME_CHOICES = [(timeframe.value, timeframe.value) for timeframe in Timeframe]

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")
# One bar of a chunk, 48 bytes without padding, in network byte order: the form in which Postgres itself writes
# numbers, so that it builds a chunk in one statement and numpy reads it as it is. `open_time` is UTC milliseconds.
CHUNK_ROW = [("open_time", ">i8"), *((name, ">f8") for name in COLUMNS[1:])]

# People write BTC/USD, BTC-USD or BTCUSD and mean one thing.
SEPARATORS = str.maketrans("", "", "/-_ ")


def _rate(what: str) -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=f"{what}, in basis points; empty: as usual for its kind.",
    )


class Exchange(models.Model):
    code = models.SlugField(unique=True, help_text="ccxt's identifier of the exchange, for example binance.")
    name = models.CharField(max_length=100)
    is_simulated = models.BooleanField(
        default=False, help_text="Its prices come from the sandbox; every message and page says so."
    )

    def __str__(self) -> str:
        return self.name


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def active(self) -> "InstrumentQuerySet":
        return self.filter(is_active=True)

    def names(self) -> list[tuple[str, ...]]:
        """Of each, its symbol and aliases as `plain_name` writes them."""
        known = self.values_list("symbol", "aliases")
        return [tuple(Instrument.plain_name(name) for name in (symbol, *other)) for symbol, other in known]

    def named(self, name: str) -> "InstrumentQuerySet":
        """Whose symbol or alias it is, however it is written: BTC/USD, BTC-USD, BTCUSD."""
        plain = Instrument.plain_name(name)
        known = self.values_list("pk", "symbol", "aliases")
        found = [pk for pk, symbol, other in known if plain in map(Instrument.plain_name, (symbol, *other))]
        return self.filter(pk__in=found)

    def with_newest_candle(self, timeframe: Timeframe) -> "InstrumentQuerySet":
        """Each with `newest_open_time` of that timeframe, None where no candle is stored."""
        candles = Candle.objects.filter(instrument=models.OuterRef("pk"), timeframe=timeframe.value)
        newest = candles.order_by("-open_time").values("open_time")[:1]
        return self.annotate(newest_open_time=models.Subquery(newest))


class Instrument(models.Model):
    """What is traded. The aliases are other names that people use for it (BTC/USD for BTC/USDT)."""

    exchange = models.ForeignKey(Exchange, on_delete=models.PROTECT, related_name="instruments")
    symbol = models.CharField(max_length=32, help_text="ccxt's unified symbol, for example BTC/USDT.")
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    aliases = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    asset_class = models.CharField(
        max_length=6,
        choices=[(asset_class.value, asset_class.value) for asset_class in AssetClass],
        default=AssetClass.CRYPTO.value,
        help_text="Decides on which days and hours its market is open.",
    )
    market_type = models.CharField(
        max_length=9,
        choices=[(market_type.value, market_type.value) for market_type in MarketType],
        default=MarketType.SPOT.value,
        help_text="How it is traded: costs, and whether it can be shorted.",
    )
    maker_bps = _rate("Fee of a limit order")
    taker_bps = _rate("Fee of a market or stop order")
    slippage_bps = _rate("How much worse than its price a market or stop order fills")
    is_active = models.BooleanField(default=True, help_text="Whether candles are fetched and evaluated.")
    tick_size = models.DecimalField(
        max_digits=32, decimal_places=18, null=True, blank=True, help_text="Step of a price; empty: unknown."
    )
    lot_step = models.DecimalField(
        max_digits=32,
        decimal_places=18,
        null=True,
        blank=True,
        help_text="Step of an amount; empty: unknown.",
    )
    minimum_amount = models.DecimalField(
        max_digits=32,
        decimal_places=18,
        null=True,
        blank=True,
        help_text="Least amount of an order, in the base asset; empty: none known.",
    )
    minimum_notional = models.DecimalField(
        max_digits=32,
        decimal_places=18,
        null=True,
        blank=True,
        help_text="Least value of an order, in the quote asset; empty: none known.",
    )
    rules_known_at = models.DateTimeField(
        null=True, blank=True, help_text="When the exchange last told the four rules above."
    )

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["symbol"]
        constraints = [
            models.UniqueConstraint(fields=["exchange", "symbol"], name="market_instrument_unique_symbol"),
        ]

    def __str__(self) -> str:
        return self.symbol

    @staticmethod
    def plain_name(name: str) -> str:
        return name.upper().replace("%2F", "").translate(SEPARATORS)

    def clean(self) -> None:
        try:
            self.cost_rates()
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def cost_rates(self) -> CostRates:
        """What trading it costs: its own rates, and where it has none those of its kind. ValueError as CostRates."""
        own = {name: getattr(self, name) for name in ("maker_bps", "taker_bps", "slippage_bps")}
        return rates_for(self.asset_class, self.market_type, **own)


class Candle(models.Model):
    """A closed bar. Written by binary COPY, so the column order is part of the contract."""

    pk = models.CompositePrimaryKey("instrument_id", "timeframe", "open_time")
    # Checked once per batch by `services.locks`, not once per row by a trigger: that took 40 % of a large upsert.
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    open_time = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="market_candle_positive_prices",
                condition=models.Q(low__gt=0, high__lt=float("inf"), volume__gte=0),
            ),
            models.CheckConstraint(
                name="market_candle_high_and_low_enclose",
                condition=models.Q(high__gte=models.F("open"), low__lte=models.F("open"))
                & models.Q(high__gte=models.F("close"), low__lte=models.F("close")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.open_time:%Y-%m-%d %H:%M}"


class CandleChunk(models.Model):
    """One closed UTC day of candles as one block: `bars` rows of CHUNK_ROW, oldest first."""

    pk = models.CompositePrimaryKey("instrument_id", "timeframe", "day")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, db_index=False, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    day = models.DateField()
    bars = models.PositiveIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.day}"


class DataQualityIssue(models.Model):
    """Why a bar was refused or is to be looked at with care."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="quality_issues")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    open_time = models.DateTimeField()
    kind = models.CharField(
        max_length=32, choices=[(kind.value, kind.value.replace("_", " ")) for kind in QualityKind]
    )
    action = models.CharField(
        max_length=8, choices=[(action.value, action.value) for action in QualityAction]
    )
    detail = models.TextField()
    source = models.CharField(max_length=100, help_text="The provider or file that gave the bar.")
    first_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-first_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "open_time", "kind", "source"],
                name="market_issue_once_per_bar_and_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.kind} at {self.open_time:%Y-%m-%d %H:%M}"


class ItemFailure(models.Model):
    """Something of many that a task could not do, how many times in a row; gone once it is done again."""

    task = models.CharField(max_length=100)
    item = models.CharField(max_length=200)
    failures = models.PositiveIntegerField()
    first_failed_at = models.DateTimeField()
    failed_at = models.DateTimeField()
    error = models.TextField()

    class Meta:
        ordering = ["-failed_at"]
        constraints = [
            models.UniqueConstraint(fields=["task", "item"], name="market_item_failure_once_per_item")
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.item}"


class SentimentReadingQuerySet(models.QuerySet["SentimentReading"]):
    def known_at(self, as_of: datetime) -> "SentimentReadingQuerySet":
        """Those that we had by then and that still count: what was fetched later is the future."""
        return self.filter(fetched_at__lte=as_of, published_at__lte=as_of, published_at__gt=as_of - LONGEST)

    def as_readings(self) -> list[Reading]:
        columns = ("source", "published_at", "fetched_at", "score", "n", "is_degraded")
        return [Reading(SentimentSource(row[0]), *row[1:]) for row in self.values_list(*columns)]


class SentimentReading(models.Model):
    """What a source said of an instrument at a moment, kept as it was first seen: never revised, never backfilled."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="sentiment_readings")
    source = models.CharField(
        max_length=16, choices=[(source.value, source.value.replace("_", " ")) for source in SentimentSource]
    )
    published_at = models.DateTimeField(help_text="The moment of which it speaks.")
    fetched_at = models.DateTimeField(
        help_text="The exchange's time when it came to us: no earlier close knows it."
    )
    score = models.FloatField(help_text="-1 bearish, 1 bullish.")
    n = models.PositiveIntegerField(default=1, help_text="Posts or articles behind it.")
    confidence = models.FloatField(
        null=True, blank=True, help_text="What the source says of its own sureness."
    )
    citations = models.JSONField(default=list, blank=True, help_text="Titles and addresses, as data.")
    model = models.CharField(max_length=64, blank=True, help_text="Which model or word list made the score.")
    reference = models.CharField(max_length=64, blank=True, help_text="The source's own number of it.")
    is_degraded = models.BooleanField(default=False, help_text="Kept, but not counted: it names no posts.")

    objects = SentimentReadingQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-pk"]
        get_latest_by = "fetched_at"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "source", "published_at", "reference"],
                name="market_sentiment_reading_once",
            ),
            models.CheckConstraint(
                name="market_sentiment_reading_score", condition=models.Q(score__gte=-1, score__lte=1)
            ),
        ]
        indexes = [models.Index(fields=["instrument", "fetched_at"], name="market_sentiment_fetched")]

    def __str__(self) -> str:
        return f"{self.instrument} {self.source} {self.score:+.2f} of {self.published_at:%Y-%m-%d %H:%M}"


class SentimentFeed(models.Model):
    """How it stands with a source of sentiment: its budget of the day, its cost, and until when it is left alone."""

    source = models.CharField(
        max_length=16,
        unique=True,
        choices=[(source.value, source.value.replace("_", " ")) for source in SentimentSource],
    )
    day = models.DateField(help_text="UTC day of which calls and cost are.")
    calls = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0.0)
    total_cost_usd = models.FloatField(default=0.0)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    quiet_until = models.DateTimeField(null=True, blank=True, help_text="Not asked before then.")
    answered_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    asked = models.JSONField(
        default=dict, blank=True, help_text="When it was last asked about each instrument, by number."
    )

    class Meta:
        ordering = ["source"]

    def __str__(self) -> str:
        return self.source
