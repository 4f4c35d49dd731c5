"""What the autopilot announces. Senders know no receiver.

`order_lapsed` is sent inside the transaction that ended an order whose time ran out: whoever decided it decides
again. Argument: `order`, the row; its `filled` may be above zero. `trade_closed` is sent inside the transaction
that wrote a Trade. Argument: `trade`.
"""

from django.dispatch import Signal

order_lapsed = Signal()
trade_closed = Signal()
