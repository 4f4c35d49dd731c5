"""Everything that happens by the clock, in one place. All times are UTC."""

from typing import Any


def every(seconds: int, task: str, *args: str, queue: str | None = None) -> dict[str, Any]:
    """One beat entry. It expires after its period: a backlog of ticks helps nobody."""
    options: dict[str, Any] = {"expire_seconds": seconds, "headers": {"period_seconds": seconds}}
    if queue:
        options["queue"] = queue
    return {"task": task, "schedule": float(seconds), "args": args, "options": options}


SCHEDULE = {
    # Longer timeframes first: a decision on 1h reads the 4h and 1d candles that closed with it.
    "candles 1d, every 30 seconds": every(30, "signals.market.tasks.sync_candles", "1d"),
    "candles 4h, every 30 seconds": every(30, "signals.market.tasks.sync_candles", "4h"),
    "candles 1h, every 30 seconds": every(30, "signals.market.tasks.sync_candles", "1h"),
    "the next close of a 1h candle, looked for every 30 seconds": every(
        30, "signals.market.tasks.await_close"
    ),
    "closed candles without an evaluation, every 30 seconds": every(30, "signals.tasks.sweep_evaluations"),
    "paper orders that no candle woke, every 30 seconds": every(30, "autopilot.tasks.sweep_paper_orders"),
    "autopilots that are due, looked for every 10 seconds": every(10, "autopilot.tasks.run_cycles"),
    "autopilots' decisions on which nothing stands, once a day": every(
        86400, "autopilot.tasks.tidy_decisions"
    ),
    "signals that have ended, every minute": every(60, "signals.tasks.record_outcomes"),
    # Asked often; each instrument once an hour on X, where a question costs, and every ten minutes in the news.
    "sentiment on X, every minute": every(60, "signals.market.tasks.read_sentiment", "x"),
    "sentiment of the news, every minute": every(60, "signals.market.tasks.read_sentiment", "news"),
    # Asked often, done once a day for each instrument: a new one need not wait for tomorrow.
    "volatility fits older than a day, every 10 minutes": every(600, "signals.tasks.refresh_volatility"),
    "order rules older than a day, every 10 minutes": every(600, "signals.market.tasks.refresh_rules"),
    "partners for pairs older than a day, every 10 minutes": every(600, "signals.tasks.refresh_partners"),
    "choices of policies older than a day, every 10 minutes": every(600, "signals.tasks.refresh_policies"),
    "anomaly forests older than a day, every 10 minutes": every(600, "signals.tasks.refresh_forests"),
    "updates that were not worked off, every 30 seconds": every(30, "notifications.tasks.sweep_updates"),
    "events that are due at integrators, every 5 seconds": every(5, "notifications.tasks.sweep_webhooks"),
    "pictures that were not drawn, every 30 seconds": every(30, "notifications.tasks.sweep_pictures"),
    "closed days into chunks, every hour": every(3600, "signals.market.tasks.build_chunks"),
    "proof that beat and worker live, every 10 seconds": every(10, "signals.tasks.beat_heart"),
    "proof that the worker for training lives, every 10 seconds": every(
        10, "signals.tasks.beat_training", queue="training"
    ),
    "jobs of dead processes, and jobs of which no worker knows, every 30 seconds": every(
        30, "signals.tasks.sweep_jobs"
    ),
    "reminders of subscriptions, every 30 seconds": every(30, "notifications.tasks.send_notices"),
    "refunds that were asked for, every minute": every(60, "notifications.tasks.refund_payments"),
    "the bot's menu of commands, every hour": every(3600, "notifications.tasks.announce_commands"),
    "what strangers typed, every hour": every(3600, "notifications.tasks.tidy_inbox"),
    "sessions that have ended, every hour": every(3600, "users.tasks.forget_ended_sessions"),
    "answers of the API that nobody may ask for again, every hour": every(
        3600, "users.tasks.forget_api_requests"
    ),
    "the ledger's head, once a day, asked every 10 minutes": every(600, "signals.tasks.sign_ledger_head"),
    "the public track record, asked every 10 minutes": every(600, "research.tasks.compile_track_record"),
    "new heads of the ledger to a chat of the staff, every minute": every(
        60, "notifications.tasks.tell_heads"
    ),
    "public heads of the ledger to a git remote, asked every 10 minutes": every(
        600, "research.tasks.append_heads"
    ),
    "ended signals into blocks for analytics, every 5 minutes": every(
        300, "research.tasks.pack_ended_signals"
    ),
    "evidence for the gate, once a day, asked every 10 minutes": every(
        600, "research.tasks.ask_for_evidence", queue="research"
    ),
    "alarms to staff, every 10 seconds": every(10, "notifications.tasks.tell_staff"),
    "whether Vault answers and says the same, every minute": every(60, "copilot_project.tasks.watch_vault"),
    # On the queue for training: what it asks loads compiled code and a model.
    "whether the selector is to be trained again, every 6 hours": every(
        6 * 3600, "autopilot.tasks.retrain_selector", queue="training"
    ),
    "old slots, once a day": every(86400, "signals.tasks.forget_old_slots"),
}
