"""What the signals app announces. Senders know no receiver.

`signal_coming` is sent inside the transaction that is about to write the Signal, while other publications may run:
the place for what takes long. Argument: `coming`, the row without its place in the ledger (Django keeps the name
`signal` for itself). `signal_published` is sent when the row is written and no other publication can come in
between, the place for what depends on those before it. Argument: `published`, the row. A receiver's rows commit with
the Signal or not at all.
`outcomes_recorded` is likewise sent inside the transaction that wrote SignalOutcome rows. Argument:
`signal_ids`, the signals that have ended; some may have been announced before.
`stops_passed_entry` is sent inside the transaction that wrote StopRaise rows. Argument: `signal_ids`, the signals whose
stop stands on the gaining side of the entry for the first time.
"""

from django.dispatch import Signal

signal_coming = Signal()
signal_published = Signal()
outcomes_recorded = Signal()
stops_passed_entry = Signal()
