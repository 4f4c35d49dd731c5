"""What the users app announces. Senders know no receiver.

`subscriber_removed` is sent inside the transaction that removes the personal data: whoever keeps more of them forgets
it there. Argument: `subscriber` (already emptied).
`chat_left` is sent inside the transaction in which a subscriber is removed, or linked to another chat: whoever keeps
personal data of the old chat forgets them there. Argument: `chat_id`.
`login_refused`: somebody whom Google knows may not come in. Arguments: `request`, `provider`, `reason`.
`session_ended`: one of the staff ended a session of theirs from another one. Arguments: `request`, `session`.
"""

from django.dispatch import Signal

subscriber_removed = Signal()
chat_left = Signal()
login_refused = Signal()
session_ended = Signal()
