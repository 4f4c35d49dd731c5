"""What came of a call, written to its row. All instants are the database's.

Every update is fenced twice: by `attempt_id`, and by the token of the lease (`lease.py`), which no other sender may
have overtaken.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from notifications.services.sender.bot import pause_bot
from notifications.services.sender.claiming import Claimed
from notifications.services.sender.transition import Transition, after_taken_chat

STILL_OURS = """
id = %(id)s AND attempt_id = %(attempt_id)s AND state = 'sending'
    AND EXISTS (SELECT FROM notifications_senderlease WHERE fencing_token = %(fencing_token)s)
"""

FINISH = f"""
UPDATE notifications_delivery SET
    state = %(state)s, reason = %(reason)s, attempts = attempts + %(counts)s::int, lease_until = NULL,
    is_repeat = %(is_repeat)s, is_plain = %(is_plain)s,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(delay_seconds)s)
WHERE {STILL_OURS}
"""  # noqa: S608

# Several at once: one commit for all whose answers came while the one before was written.
SENT = """
UPDATE notifications_delivery d SET
    state = 'sent', reason = '', attempts = attempts + 1, lease_until = NULL,
    sent_at = clock_timestamp(), telegram_message_id = answered.message_id
FROM unnest(%(ids)s::bigint[], %(attempt_ids)s::uuid[], %(fencing_tokens)s::bigint[], %(message_ids)s::bigint[])
    AS answered (id, attempt_id, fencing_token, message_id)
WHERE d.id = answered.id AND d.attempt_id = answered.attempt_id AND d.state = 'sending'
    AND EXISTS (SELECT FROM notifications_senderlease l WHERE l.fencing_token = answered.fencing_token)
RETURNING d.id
"""

KEEP_FILE_ID = (
    "UPDATE notifications_signalpicture SET file_id = %(file_id)s WHERE id = %(id)s AND file_id = ''"
)

# Refused by name: it is uploaded again. Refused as an upload: there is no picture. Whoever sent it under a name
# that is not the row's any more says nothing about it.
DROP_PICTURE = """
UPDATE notifications_signalpicture SET
    file_id = '', png = CASE WHEN file_id <> '' THEN png END,
    error = CASE WHEN file_id <> '' THEN '' ELSE %(error)s END
WHERE id = %(id)s AND file_id = %(file_id)s
"""

END_OPEN_ROWS = """
UPDATE notifications_delivery
SET state = CASE WHEN is_repeat THEN 'unknown' ELSE 'dead' END, reason = 'unreachable'
WHERE subscriber_id = %(subscriber_id)s AND state IN ('pending', 'retry')
RETURNING state
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """What Telegram answered; `file_id` names the picture that was sent, empty where there was none."""

    message_id: int
    file_id: str = ""


async def record_sent(
    connection: AsyncConnection[Any], *, answered: Sequence[tuple[Claimed, Sent]]
) -> set[int]:
    """Rows with Telegram's answers; return the ids of those that were still ours."""
    new_files = {
        row.picture_id: sent.file_id for row, sent in answered if sent.file_id not in ("", row.file_id)
    }
    for picture_id, file_id in new_files.items():
        await connection.execute(KEEP_FILE_ID, {"id": picture_id, "file_id": file_id})
    cursor = await connection.execute(
        SENT,
        {
            "ids": [row.id for row, _ in answered],
            "attempt_ids": [row.attempt_id for row, _ in answered],
            "fencing_tokens": [row.fencing_token for row, _ in answered],
            "message_ids": [sent.message_id for _, sent in answered],
        },
    )
    return {row_id for (row_id,) in await cursor.fetchall()}


async def picture(connection: AsyncConnection[Any], *, picture_id: int) -> str | bytes | None:
    """A picture's name at Telegram, the PNG where it has none, None when it was given up since the claim."""
    cursor = await connection.execute(
        "SELECT file_id, png FROM notifications_signalpicture WHERE id = %s", [picture_id]
    )
    file_id, png = await cursor.fetchone() or ("", None)
    return file_id or png


async def record_failure(
    connection: AsyncConnection[Any], *, row: Claimed, transition: Transition
) -> Counter[str]:
    """Write the transition and all that follows from it, in one transaction.

    Count the states that rows reached by it, this one's and its subscriber's; none when it was not ours any more.
    """
    async with connection.transaction():
        if transition.new_chat_id and not await _move_chat(connection, row, transition.new_chat_id):
            transition = after_taken_chat(transition)
        settled = await _tell_others(connection, row, transition)
        cursor = await connection.execute(
            FINISH,
            row.fences
            | {
                "state": transition.state.value,
                "reason": transition.reason,
                "counts": transition.counts,
                "is_repeat": transition.is_repeat,
                "is_plain": transition.is_plain,
                "delay_seconds": transition.delay_seconds,
            },
        )
    return settled + Counter([transition.state.value]) if cursor.rowcount else Counter()


async def _move_chat(connection: AsyncConnection[Any], row: Claimed, new_chat_id: int) -> bool:
    """Whether the subscriber could have the chat; False when somebody else is linked to it."""
    try:
        async with connection.transaction():
            await connection.execute(
                "UPDATE users_subscriber SET chat_id = %s WHERE id = %s AND chat_id = %s",
                [new_chat_id, row.subscriber_id, row.chat_id],
            )
    except UniqueViolation:
        return False
    return True


async def _tell_others(
    connection: AsyncConnection[Any], row: Claimed, transition: Transition
) -> Counter[str]:
    """Count the states that the subscriber's other rows reached."""
    if transition.pause_bot_seconds:
        await pause_bot(connection, seconds=transition.pause_bot_seconds)
    if transition.bad_picture:
        dropped = {"id": row.picture_id, "file_id": row.file_id, "error": transition.reason}
        await connection.execute(DROP_PICTURE, dropped)
    if transition.halt:
        await connection.execute(
            "UPDATE notifications_senderstate SET halted_reason = %s", [transition.reason]
        )
    if transition.chat_gone:
        marked = await connection.execute(
            "UPDATE users_subscriber SET unreachable_reason = %s WHERE id = %s AND chat_id = %s",
            [transition.reason[:200], row.subscriber_id, row.chat_id],
        )
        if marked.rowcount:  # else the subscriber has another chat by now, and may hear the rest there
            ended = await connection.execute(END_OPEN_ROWS, {"subscriber_id": row.subscriber_id})
            return Counter(state for (state,) in await ended.fetchall())
    return Counter()
