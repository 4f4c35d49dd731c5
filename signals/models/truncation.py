"""Rows that keep a history."""

import pgtrigger


def never_truncated(name: str, refusal: str) -> pgtrigger.Trigger:
    """TRUNCATE fires no trigger of rows, so that those which keep a history need this one as well."""
    return pgtrigger.Trigger(
        name=name,
        operation=pgtrigger.Truncate,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        func=f"RAISE EXCEPTION '{refusal}';",
    )
