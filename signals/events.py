"""What the signals app announces. Senders know no receiver.

`signal_published` is sent inside the transaction that wrote the Signal: a receiver's rows commit with
it or not at all. Argument: `published`, the new row (Django keeps the name `signal` for itself).
"""

from django.dispatch import Signal

signal_published = Signal()
