"""Entry points of the worker: call one service."""

from celery import shared_task

from users.services import forget_ended_sessions as forget


@shared_task(name="users.tasks.forget_ended_sessions")
def forget_ended_sessions() -> None:
    forget()
