"""Telegram out of order: each call then leaves a message of unknown fate, so that few calls must be made."""

from notifications.clients.telegram_call import Failure

DOUBTS_IN_A_ROW = 5  # by chance they come singly
PAUSE_SECONDS = 30.0
NO_ANSWER = (Failure.NOT_SENT, Failure.HELD_BACK)


class Outage:
    """Counts the calls in a row of which nobody knows whether they were obeyed."""

    def __init__(self) -> None:
        self._doubts = 0

    def answered(self) -> None:
        self._doubts = 0

    def pause_seconds(self, failure: Failure) -> float:
        """How long the whole bot should wait after this failed call. After a pause the first doubt is the next."""
        if failure is Failure.AMBIGUOUS:
            self._doubts += 1
            return PAUSE_SECONDS if self._doubts >= DOUBTS_IN_A_ROW else 0.0
        if failure not in NO_ANSWER:
            self.answered()
        return 0.0
