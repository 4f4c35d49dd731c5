"""Cells of a CSV file that a spreadsheet shows as text and never computes. Pure."""

# A spreadsheet takes a cell that begins so for a formula. Plain numbers are what they look like.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
MARK = "'"


def safe_cell(text: str) -> str:
    """With a mark in front where a spreadsheet would compute it; `own_cell` takes it away."""
    begins = text.lstrip(" ").startswith(FORMULA_BEGINS) or text.startswith(MARK)
    return MARK + text if begins else text


def own_cell(text: str) -> str:
    return text.removeprefix(MARK)
