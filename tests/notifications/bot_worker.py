"""A worker of the bot's in the test's own process: works off what the webhook has stored, by the real tasks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from notifications.models import ReplyTurn, TelegramUpdate
from notifications.tasks import process_update


def work_off() -> int:
    """Every open update, oldest first; how many there were. The pace of replies is another test's."""
    ids = list(
        TelegramUpdate.objects.filter(processed_at=None)
        .order_by("update_id")
        .values_list("update_id", flat=True)
    )
    for update_id in ids:
        ReplyTurn.objects.all().delete()
        process_update(update_id)
    return len(ids)


@contextmanager
def working() -> Iterator[None]:
    """In a thread beside a browser, in whose event loop no task can run."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.wait(0.05):
                work_off()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
