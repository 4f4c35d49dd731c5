"""From which score on a bar calls for caution. Apart from the compiled code, so that pages load without that."""

UNUSUAL = 0.7  # about one hour in a hundred of recorded pairs scores more (test_anomaly.py)


def is_unusual(score: float) -> bool:
    """Whether an isolation-forest score calls for caution: above UNUSUAL, and False for NaN."""
    return score > UNUSUAL
