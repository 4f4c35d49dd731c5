"""What goes out: to subscribers, and to the programs of integrators."""

from notifications.admin import distribution, webhooks

__all__ = ["distribution", "webhooks"]
