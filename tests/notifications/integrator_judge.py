"""What integrators may have when, for the lives of `test_delivery_properties`: lists, public export, webhooks."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from notifications.models import DeliveryKind, WebhookEndpoint
from notifications.services.webhooks import claim_event, create_endpoint, settle_failed, settle_sent
from research.selectors.integrator import OUTCOMES, SIGNALS, audience_of, page
from research.selectors.ledger_export import export_lines, public_heads
from signals.models import Signal
from users.engine.api_key import ApiScope
from users.models import Tier, User
from users.services import create_api_key

Ends = Iterable[tuple[Signal, datetime | None]]
MANY = 1_000


def endpoints_of(tiers: Iterable[Tier]) -> list[WebhookEndpoint]:
    """One for each tier; its key is the tier's."""
    now = datetime.now(UTC)
    boss = User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    return [
        create_endpoint(
            name=tier.name,
            api_key=create_api_key(user=boss, name=tier.name, scopes=[ApiScope.READ], tier=tier, now=now)[0],
            url="http://127.0.0.1:9/hook",
            kinds=list(DeliveryKind),
            now=now,
        )
        for tier in tiers
    ]


def judge_lists(lived: Ends, tier: Tier, *, oldest_first: bool, now: datetime) -> int:
    """Rows of the API's lists for a tier's key; none is early, and none of those released is left out."""
    delay = timedelta(seconds=tier.delay_seconds)
    signals = {
        str(signal.public_id): signal
        for signal, _ in lived
        if signal.published_at + delay <= now and (tier.experimental or not signal.experimental)
    }
    ended = {str(signal.public_id) for signal, at in lived if at and at + delay <= now} & signals.keys()
    rows = 0
    for listing, name, known in ((SIGNALS, "id", signals.keys()), (OUTCOMES, "signal_id", ended)):
        found = page(
            listing,
            audience_of(tier, now=now),
            wanted={},
            after=None,
            oldest_first=oldest_first,
            limit=MANY,
        )
        listed = {row[name] for row in json.loads(found.text)}
        assert listed <= known, "an integrator sees it early"
        assert oldest_first or listed == known, "an integrator misses one"
        rows += len(listed)
    return rows


def judge_export(lived: Ends, *, longest: timedelta, now: datetime) -> int:
    """The public export tells nobody before the slowest tier knows."""
    heads = public_heads(now)
    if not heads:
        return 0
    told = b"".join(export_lines(heads[0])).decode()
    for signal, ended_at in lived:
        if f'"{signal.public_id}"' in told:
            assert signal.published_at + longest <= now, "the public sees a signal early"
        if ended_at is not None and signal.outcome.ledger_entry_id <= heads[0].size:
            assert ended_at + longest <= now, "the public sees an end early"
    return 1


def judge_webhooks(
    lived: dict[int, datetime | None], endpoint: WebhookEndpoint, *, arrives: bool, now: datetime
) -> int:
    """Serve what is due at an endpoint, or fail to; the calls that were made."""
    tier, calls = endpoint.api_key.tier, 0
    assert tier is not None
    delay = timedelta(seconds=tier.delay_seconds)
    while event := claim_event(endpoint_id=endpoint.pk, now=now):
        calls += 1
        assert tier.experimental or not event.signal.experimental
        assert event.signal.published_at + delay <= now, "a webhook tells a signal early"
        if event.kind == DeliveryKind.OUTCOME:
            ended_at = lived[event.signal_id]
            assert ended_at is not None
            assert ended_at + delay <= now, "a webhook tells an end early"
        if arrives:
            settle_sent(event=event, status=200, now=now)
        else:
            settle_failed(event=event, reason="refused", status=500, now=now)
    return calls
