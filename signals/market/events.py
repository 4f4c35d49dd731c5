"""What the market announces. Senders know no receiver.

`candles_closed` is sent after commit. Arguments: `instrument_id`, `timeframe` (Timeframe),
`open_times` (list of aware datetimes, oldest first, new or corrected), `as_of` (the exchange's time).
"""

from typing import Any

from django.dispatch import Signal
from django.utils.module_loading import import_string

candles_closed = Signal()


def connect_late(event: Signal, receiver: str) -> None:
    """Connect a receiver by its dotted path, which is imported when the event first comes.

    Receivers load the whole decision code, which a command that never decides would wait seconds for.
    """

    def receive(**kwargs: Any) -> None:
        import_string(receiver)(**kwargs)

    event.connect(receive, weak=False, dispatch_uid=receiver)
