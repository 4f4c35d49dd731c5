"""Three years of signals of ten instruments with outcomes, evaluations, candles and answers: rows for archive.py."""

import time
from typing import Any

INSTRUMENTS = 10
SIGNALS = """
INSERT INTO signals_signal (
  sequence, public_id, instrument_id, timeframe, candle_open_time, source, variant, strategy, direction, confidence,
  entry_price, stop_loss, take_profit, standing, evidence, reasons, experimental, sessions, published_at, expires_at)
SELECT n, gen_random_uuid(), {first} + n % 10, '1h', hour, (array['hybrid', 'autopilot'])[1 + n % 2],
  CASE n % 9 WHEN 0 THEN 'b' ELSE '' END, (array['rsi', 'macd', 'dca', 'momentum', 'grid'])[1 + n % 5],
  CASE side WHEN 1 THEN 'long' ELSE 'short' END, 0.5 + (n % 50) / 100.0, 100, 100 - 5 * side, 100 + 10 * side, '', '',
  array['RSI at ' || n % 30 || ', oversold', 'the 4h candles agree',
        CASE n % 50000 WHEN 7 THEN 'a unicorn' ELSE 'MACD crossed above its signal' END],
  n % 7 = 0, (array['{{london}}', '{{london,new_york}}', '{{}}'])[1 + n % 3]::varchar[],
  hour + interval '1 hour 2 seconds', hour + interval '5 hours'
FROM generate_series(1, {rows}) AS n,
  LATERAL (SELECT date_trunc('hour', now()) - interval '1096 days' + n / 8 * interval '1 hour', 1 - n / 10 % 2 * 2)
    AS drawn (hour, side)
"""
OUTCOMES = """
INSERT INTO signals_signaloutcome (
  signal_id, sequence, exit_reason, entered_at, exited_at, entry_price, exit_price, return_ratio, r_multiple, best_r,
  worst_r, bars_held, is_ambiguous, maker_bps, taker_bps, slippage_bps, recorded_at)
SELECT id, sequence + {rows}, (array['target', 'stop', 'expiry'])[1 + sequence % 3], published_at,
  published_at + sequence % 30 * interval '1 hour', 100, 101, 0.01, sin(sequence * 12.9898) * 1.5 + 0.05, 1, -1,
  sequence % 30, false, 10, 10, 2, published_at + interval '31 hours'
FROM signals_signal
"""
EVALUATIONS = """
INSERT INTO signals_evaluation (
  instrument_id, timeframe, candle_open_time, source, variant, outcome, reason, signal_id, as_of, evaluated_at,
  features)
SELECT instrument_id, timeframe, candle_open_time, source, variant, 'signal', 'made', id, published_at, published_at,
  json_build_object('regime', (array['trending_up', 'ranging', 'volatile'])[1 + sequence % 3])
FROM signals_signal
"""
CANDLES = """
INSERT INTO market_candle (instrument_id, timeframe, open_time, open, high, low, close, volume)
SELECT {first} + i, '1h', date_trunc('hour', now()) - interval '1100 days' + h * interval '1 hour',
  price, price + 0.5, price - 0.5, price, 1
FROM generate_series(0, 9) AS i, generate_series(0, 26399) AS h,
  LATERAL (SELECT 100 + 12 * sin(h / 7.0 + i)) AS drawn (price)
"""
# Every second signal was answered; the subscriber who did need not exist.
DELIVERIES = """
INSERT INTO notifications_delivery (
  public_id, signal_id, subscriber_id, kind, state, reason, tier, tier_rank, weight, due_at, expires_at,
  next_attempt_at, attempts, is_repeat, is_plain, sent_at)
SELECT gen_random_uuid(), id, 1, 'signal', 'sent', '', 'vip', 1, 1, published_at, expires_at, published_at, 1, false,
  false, published_at
FROM signals_signal WHERE sequence % 2 = 0
"""
ANSWERS = """
INSERT INTO notifications_feedback (delivery_id, answer, answered_at, changes)
SELECT id, (array['acted', 'ignored'])[1 + id % 2], due_at, 0 FROM notifications_delivery
"""
TIERS = (("free", 900, False), ("standard", 0, False), ("vip", 0, True))


def make_rows(rows: int) -> None:
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from research.services.ended_chunks import pack_ended_signals  # noqa: PLC0415

    with connection.cursor() as cursor:
        _fill(cursor, rows, _instruments())
    _tiers()
    begun = time.perf_counter()
    made = pack_ended_signals(now=timezone.now())
    print(f"{made} blocks of ended signals in {time.perf_counter() - begun:.0f} s", flush=True)


def _instruments() -> int:
    from signals.market.models import Exchange, Instrument  # noqa: PLC0415

    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    made = [
        Instrument.objects.create(exchange=exchange, symbol=f"C{n}/USDT", base=f"C{n}", quote="USDT").pk
        for n in range(INSTRUMENTS)
    ]
    return int(made[0])


def _fill(cursor: Any, rows: int, first: int) -> None:
    """Past the triggers, which would want a ledger entry for each."""
    cursor.execute("SET session_replication_role = replica")
    for statement in (SIGNALS, OUTCOMES, EVALUATIONS, CANDLES, DELIVERIES, ANSWERS):
        is_format = "{first}" in statement or "{rows}" in statement
        cursor.execute(statement.format(first=first, rows=rows) if is_format else statement)
    cursor.execute("SET session_replication_role = DEFAULT")
    cursor.execute("ANALYZE")


def _tiers() -> None:
    from users.models import Tier  # noqa: PLC0415

    Tier.objects.all().delete()
    for rank, (code, delay, experimental) in enumerate(TIERS):
        Tier.objects.create(
            code=code,
            name=code.title(),
            rank=rank,
            delay_seconds=delay,
            account_types=["demo"],
            experimental=experimental,
        )
