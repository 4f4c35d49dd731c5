"""What the users app announces. Senders know no receiver.

`subscriber_removed` is sent inside the transaction that removes the personal data: whoever keeps more
of them forgets it there. Arguments: `subscriber` (already emptied), `chat_id` (int, or None if never linked).
"""

from django.dispatch import Signal

subscriber_removed = Signal()
