"""Telegram's limits, kept by the sender: a sliding second over all chats, a pause per chat.

They hold across restarts: a new leader is silent until what its predecessor may have sent lies behind them.
"""

from collections import deque
from dataclasses import dataclass, field

MESSAGES_PER_SECOND = 28  # Telegram allows about 30; the rest is for clocks that differ and for replies
SECONDS_PER_CHAT = 1.0


@dataclass
class Pace:
    """All instants are monotonic seconds. A chat is busy from the claim until a pause after its answer,

    so that however long a request travels, two never reach Telegram within that pause, and never out of order.
    A claim takes its place in the sliding second when its call begins, however long it was prepared; until then
    one is kept free for it.
    """

    per_second: int = MESSAGES_PER_SECOND
    seconds_per_chat: float = SECONDS_PER_CHAT
    _starts: deque[float] = field(default_factory=deque)
    _claimed: set[int] = field(default_factory=set)
    _called: set[int] = field(default_factory=set)
    _free_at: dict[int, float] = field(default_factory=dict)
    _silent_until: float = float("-inf")

    def follow_another(self, now: float) -> None:
        """Nobody knows what was sent until now, and to whom: start as if every limit had just been used up."""
        self.silence(now + max(1.0, self.seconds_per_chat))

    def silence(self, until: float) -> None:
        """Nothing starts before that moment."""
        self._silent_until = max(self._silent_until, until)

    def is_silent(self, now: float) -> bool:
        return now < self._silent_until

    def allowance(self, now: float) -> int:
        """How many messages may start now."""
        if self.is_silent(now):
            return 0
        while self._starts and now - self._starts[0] >= 1.0:
            self._starts.popleft()
        return max(0, self.per_second - len(self._starts) - len(self._claimed))

    def busy(self, now: float) -> list[int]:
        """Subscribers who must not be sent anything yet."""
        self._free_at = {chat: free_at for chat, free_at in self._free_at.items() if free_at > now}
        return [*self._claimed, *self._called, *self._free_at]

    def claimed(self, subscriber_id: int) -> None:
        self._claimed.add(subscriber_id)

    def called(self, subscriber_id: int, now: float) -> None:
        self._claimed.discard(subscriber_id)
        self._called.add(subscriber_id)
        self._starts.append(now)

    def finished(self, subscriber_id: int, now: float) -> None:
        """Whether or not it was called."""
        self._claimed.discard(subscriber_id)
        self._called.discard(subscriber_id)
        self._free_at[subscriber_id] = now + self.seconds_per_chat

    def seconds_until_change(self, now: float) -> float | None:
        """How long until the next message or chat is free again; None when nothing holds us up.

        While the second is full no chat is of interest: nothing is claimed, so that one free since would be said anew
        at every look.
        """
        if self.is_silent(now):
            return self._silent_until - now
        if self._starts and len(self._starts) + len(self._claimed) >= self.per_second:
            return max(0.0, self._starts[0] + 1.0 - now)
        return max(0.0, min(self._free_at.values()) - now) if self._free_at else None
