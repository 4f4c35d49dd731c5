"""Every pair of colours that the console uses for text is told apart by readers with weak eyes (WCAG 2.2 AA)."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static/copilot/tokens.css").read_text()
GROUNDS = ("back", "raised")
PAIRS = [
    *((ink, ground) for ink in ("text", "soft", "link", "good", "warn", "bad") for ground in GROUNDS),
    *((ink, f"{ink}-back") for ink in ("good", "warn", "bad")),
    *(("text", f"{tone}-back") for tone in ("good", "warn", "bad")),
    *(("soft", f"{tone}-back") for tone in ("good", "warn", "bad")),
    ("on-solid", "primary-back"),
    ("on-solid", "danger-back"),
]
LINES = [(f"series-{number}", ground) for number in range(1, 7) for ground in GROUNDS]


def theme(selector: str) -> dict[str, str]:
    block = re.search(rf"^{re.escape(selector)} {{(.*?)^}}", CSS, re.S | re.M)
    assert block
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block[1]))


THEMES = {"light": theme(":root"), "dark": theme(":root.dark")}


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_reckoned_as_the_standard_has_it() -> None:
    assert contrast("#000000", "#fff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize(
    ("ink", "ground", "least"), [*((*p, 4.5) for p in PAIRS), *((*p, 3.0) for p in LINES)]
)
def test_ink_stands_out_from_its_ground(name: str, ink: str, ground: str, least: float) -> None:
    colors = THEMES[name]
    assert contrast(colors[ink], colors[ground]) >= least


def test_both_themes_name_the_same_colours() -> None:
    assert THEMES["light"].keys() == THEMES["dark"].keys()


def test_components_use_no_colour_that_is_not_a_token() -> None:
    folder = Path(__file__).resolve().parents[2] / "static/copilot"
    for name in ("components.css", "deliveries.css", "lists.css"):
        assert re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(", (folder / name).read_text()) == []
