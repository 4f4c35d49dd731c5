"""The long-lived sender. What must survive a crash is in rows; the pace alone is in memory."""
