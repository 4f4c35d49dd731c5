"""A receipt verifies, comes when its tier may have it, and shows nothing that the tier may not see."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from notifications.services.receipts import receipt_for
from signals.models import LedgerEntry, LedgerHead, Signal, SignalOutcome
from signals.services.ledger_heads import sign_head
from tests.ledgers import as_text
from tests.notifications.rows import make_outcome, make_signal, make_tier
from tests.static.test_verify_ledger import script
from users.models import Tier

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def own_key(settings: Settings) -> None:
    settings.LEDGER_SIGNING_KEY = "ab" * 32


def tiers() -> list[Tier]:
    return [
        make_tier(delay_seconds=900),
        make_tier(delay_seconds=0),
        make_tier(delay_seconds=0, experimental=True),
        make_tier(delay_seconds=300, experimental=True),
    ]


def live(seed: int) -> list[datetime]:
    """An hour in which signals come, end and are signed at random; the moments at which to ask."""
    rng = random.Random(seed)
    moment, running = NOON, []
    for _ in range(14):
        moment += rng.uniform(0, 12) * MINUTE
        happens = rng.random()
        if happens < 0.55 or not LedgerEntry.objects.exists():
            running.append(
                make_signal(
                    published_at=moment,
                    expires_at=moment + rng.choice([4, 240]) * MINUTE,
                    experimental=rng.random() < 0.3,
                )
            )
        elif happens < 0.7 and running:
            make_outcome(signal=running.pop(), recorded_at=moment)
        else:
            sign_head(now=moment)
    sign_head(now=moment + MINUTE)
    marks = [head.signed_at for head in LedgerHead.objects.all()]
    marks += [signal.published_at for signal in Signal.objects.all()]
    around = [mark + offset * MINUTE for mark in marks for offset in (0, 4.9, 5, 15)]
    return rng.sample(around, min(12, len(around)))


def may_see(entry_time: datetime, tier: Tier, now: datetime) -> bool:
    return entry_time + timedelta(seconds=tier.delay_seconds) <= now


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_receipts_of_every_tier_at_every_clock(seed: int) -> None:
    moments = live(seed)
    times = dict(Signal.objects.values_list("ledger_entry_id", "published_at"))
    times |= dict(SignalOutcome.objects.values_list("ledger_entry_id", "recorded_at"))
    signals = list(Signal.objects.select_related("ledger_entry"))
    heads = list(LedgerHead.objects.order_by("id"))
    proven: set[str] = set()
    for tier in tiers():
        delay = timedelta(seconds=tier.delay_seconds)
        for signal in signals:
            released_at = signal.published_at + delay
            gets = released_at < signal.expires_at and (tier.experimental or not signal.experimental)
            signed = [head for head in heads if head.signed_at >= released_at]
            for now in moments:
                receipt = receipt_for(signal_public_id=signal.public_id, tier=tier, now=now)
                if not gets or not signed or signed[0].signed_at > now:
                    assert receipt is None
                    continue
                counted = [at for sequence, at in times.items() if sequence <= signed[0].size]
                assert (receipt is None) == any(not may_see(at, tier, now) for at in counted)
                if receipt is not None and as_text(receipt) not in proven:
                    proven.add(as_text(receipt))
                    prove(receipt, signal, signals)
    assert len(proven) > 5


def prove(receipt: dict[str, Any], signal: Signal, signals: list[Signal]) -> None:
    told = script.check_receipt(script.parse(as_text(receipt)), {receipt["head"]["public_key"]})
    assert told["public_id"] == str(signal.public_id)
    for other in signals:
        assert (str(other.public_id) in as_text(receipt)) == (other == signal)
        assert (bytes(other.ledger_entry.salt).hex() in as_text(receipt)) == (other == signal)


def test_a_signal_that_nobody_knows_has_no_receipt() -> None:
    made = make_signal(published_at=NOON)
    sign_head(now=NOON)
    stranger = "00000000-0000-4000-8000-000000000000"
    tier = make_tier(delay_seconds=0)
    assert receipt_for(signal_public_id=stranger, tier=tier, now=NOON) is None
    assert receipt_for(signal_public_id=made.public_id, tier=tier, now=NOON) is not None


def test_a_receipt_stays_the_same_under_later_heads() -> None:
    tier, signal = make_tier(delay_seconds=900), make_signal(published_at=NOON)
    sign_head(now=NOON + 20 * MINUTE)
    first = receipt_for(signal_public_id=signal.public_id, tier=tier, now=NOON + 20 * MINUTE)
    make_signal(published_at=NOON + 30 * MINUTE)
    sign_head(now=NOON + 31 * MINUTE)
    assert first is not None
    assert receipt_for(signal_public_id=signal.public_id, tier=tier, now=NOON + 32 * MINUTE) == first
