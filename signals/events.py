"""What the signals app announces. Senders know no receiver.

`signal_published` is sent inside the transaction that wrote the Signal: a receiver's rows commit with
it or not at all. Argument: `published`, the new row (Django keeps the name `signal` for itself).
`outcomes_recorded` is likewise sent inside the transaction that wrote SignalOutcome rows. Argument:
`signal_ids`, the signals that have ended; some may have been announced before.
"""

from django.dispatch import Signal

signal_published = Signal()
outcomes_recorded = Signal()
