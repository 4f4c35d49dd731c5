"""Telegram's message limits: overall in any second, and per chat with a small burst."""

import math
from collections import deque
from dataclasses import dataclass, field

from copilot_project.sandbox.config import SendLimits
from copilot_project.sandbox.telegram.errors import too_many_requests


@dataclass
class SendGate:
    """Admits messages by monotonic seconds; `limits` None admits all."""

    limits: SendLimits | None
    _recent: deque[float] = field(default_factory=deque)
    _tokens: dict[int, tuple[float, float]] = field(default_factory=dict)

    def admit(self, chat_id: int, now: float) -> None:
        """Count one message, or raise 429 with how many seconds to wait."""
        if self.limits is None:
            return
        while self._recent and now - self._recent[0] >= 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.limits.per_second + self.limits.tolerance:
            raise too_many_requests(1)
        left = self._tokens_left(self.limits, chat_id, now)
        if left < 1.0:
            raise too_many_requests(max(1, math.ceil((1.0 - left) / self.limits.per_chat_second)))
        self._tokens[chat_id] = (left - 1.0, now)
        self._recent.append(now)

    def _tokens_left(self, limits: SendLimits, chat_id: int, now: float) -> float:
        left, since = self._tokens.get(chat_id, (float(limits.chat_burst), now))
        return min(float(limits.chat_burst), left + (now - since) * limits.per_chat_second)
