"""Long services tell how far they are; who listens, a terminal or a job's row, is not their business."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]


def unheard(done: int, total: int, message: str) -> None:
    """Nobody listens."""
