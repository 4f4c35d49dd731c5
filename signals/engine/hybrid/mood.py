"""Sentiment may take a signal away or make it less sure. It opens none, and makes none surer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.hybrid.blend import blend
from signals.engine.hybrid.decision import OUTCOMES, DecisionSeries, Why
from signals.engine.hybrid.hearing import BoolArray, Hearing, IntArray, hear
from signals.engine.hybrid.settings import HybridSettings
from signals.engine.strategy import DecisionContext, aligned
from signals.engine.timeframe import BASE_TIMEFRAME


def blend_with_mood(
    base: OHLCV,
    hearings: Sequence[Hearing],
    moments: IntArray,
    settings: HybridSettings,
    context: DecisionContext,
) -> DecisionSeries:
    """`blend`, and where sentiment is known, held to what would be decided without it.

    A row is a signal only if it is one, the same way, without sentiment as well. Its confidence is the lesser of both,
    less sentiment_shrink of the mood that stands against it; a mood of sentiment_veto against it ends it.
    """
    heard = blend(base, hearings, moments, settings, context)
    if context.sentiment is None:
        return heard
    silent = replace(context, sentiment=None)
    # Longer bars are heard without sentiment anyway.
    unmoved = [
        hear(BASE_TIMEFRAME, base, silent, settings) if each.timeframe is BASE_TIMEFRAME else each
        for each in hearings
    ]
    alone = blend(base, unmoved, moments, settings, silent)
    against = np.maximum(-heard.direction * np.nan_to_num(aligned(context.sentiment, len(base))), 0.0)
    due = heard.direction != 0
    opened = due & (alone.direction != heard.direction)
    vetoed = due & ~opened & (against >= settings.sentiment_veto)
    lesser = np.minimum(heard.confidence, alone.confidence) * (1 - settings.sentiment_shrink * against)
    confidence = np.where(due, lesser, heard.confidence)
    return _without(
        _without(replace(heard, confidence=confidence), opened, Why.MOOD_ALONE), vetoed, Why.MOOD_VETO
    )


def _without(series: DecisionSeries, rows: BoolArray, why: Why) -> DecisionSeries:
    """The same without the signals of `rows`."""
    return replace(
        series,
        why=np.where(rows, why, series.why).astype(np.int8),
        outcome=np.where(rows, OUTCOMES.index(why.outcome), series.outcome).astype(np.int8),
        direction=np.where(rows, 0, series.direction).astype(np.int8),
        confidence=np.where(rows, 0.0, series.confidence),
        stop_loss=np.where(rows, np.nan, series.stop_loss),
        take_profit=np.where(rows, np.nan, series.take_profit),
        strategy=np.where(rows, -1, series.strategy).astype(np.int8),
    )
