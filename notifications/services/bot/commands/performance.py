"""/performance: how the signals of the tier ended, as the tier lived it."""

from datetime import timedelta

from django.utils.translation import gettext_noop

from notifications.selectors import tier_performance
from notifications.services.answers import delay_words
from notifications.services.bot.ask import Ask, say
from notifications.services.bot.registry import command
from notifications.services.reply import Effect
from signals.selectors import candidate_record


@command("performance", gettext_noop("How the signals of your tier ended"), only_asks=True)
def answer(ask: Ask) -> Effect:
    """From the outcomes that the tier may know, after its delay; what it never had in time counts apart."""
    tier = ask.person.tier
    lived = tier_performance(tier, ask.now)
    return say(
        ask,
        "asked for the performance",
        "performance",
        tier=tier,
        delay=delay_words(ask.person),
        lived=lived,
        mean=f"{lived.mean_r:+.2f}",
        total=f"{lived.total_r:+.2f}",
        fall=f"{lived.worst_fall_r:.2f}",
        record=candidate_record(known_at=ask.now - timedelta(seconds=tier.delay_seconds)),
    )
