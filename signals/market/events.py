"""What the market announces. Senders know no receiver.

`candles_closed` is sent after commit. Arguments: `instrument_id`, `timeframe` (Timeframe),
`open_times` (list of aware datetimes, oldest first, new or corrected), `as_of` (the exchange's time).
"""

from django.dispatch import Signal

candles_closed = Signal()
