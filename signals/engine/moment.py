"""Instants as engines count them: whole milliseconds since the epoch, UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """Exact: no float stands between. What is below a millisecond is cut off."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def instant(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
