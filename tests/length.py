"""How long property tests search: `make properties` says by PROPERTY_LENGTH how many times their usual length."""

import os

TIMES = int(os.environ.get("PROPERTY_LENGTH", "1"))


def examples(usual: int) -> int:
    return usual * TIMES
