"""The parts of which pages are made, rendered alone."""

from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template.loader import render_to_string
from django.test import RequestFactory


def rendered(name: str, path: str = "/", **context: Any) -> str:
    text = render_to_string(f"console/partials/{name}.html", context, RequestFactory().get(path))
    return " ".join(text.split())


class SizeForm(forms.Form):
    size = forms.IntegerField(min_value=1, help_text="In <lots>.")


def test_field_keeps_what_was_typed_and_ties_error_and_help_to_the_control() -> None:
    text = rendered("field", field=SizeForm({"size": "<many>"})["size"])

    assert 'value="&lt;many&gt;"' in text
    assert '<label for="id_size">Size' in text
    assert 'aria-invalid="true"' in text
    (described,) = [part.split('"')[0] for part in text.split('aria-describedby="')[1:]]
    for name in described.split():
        assert f'id="{name}"' in text
    assert "Enter a whole number." in text
    assert "In &lt;lots&gt;." in text


def test_table_of_data_is_named_escaped_and_scrolls() -> None:
    headers = [{"title": "Pair"}, {"title": "R", "kind": "number"}]
    rows = [[{"text": "<b>", "url": "/x/"}, {"text": "1.5", "kind": "number"}]]

    text = rendered("table", caption="Results", headers=headers, rows=rows)

    assert 'role="region" aria-label="Results"' in text
    assert '<caption class="unseen">Results</caption>' in text
    assert '<th scope="col" class="number">R</th>' in text
    assert '<th scope="row"><a href="/x/">&lt;b&gt;</a></th><td class="number">1.5</td>' in text


def test_figure_holds_its_numbers_without_a_script_that_runs() -> None:
    text = rendered(
        "figure", id="f", title="Equity", alt="It rises.", figure={"data": ["</script><b>"], "layout": {}}
    )

    assert 'data-figure-id="f-figure"' in text
    assert 'aria-label="It rises."' in text
    assert '<script id="f-figure" type="application/json">' in text
    assert "</script><b>" not in text


def test_stat_says_what_it_rests_on() -> None:
    text = rendered("stat", label="Hit rate", value="44 %", n=120, unit="signals", low="35 %", high="53 %")

    assert "44 %" in text
    assert "n = 120 signals" in text
    assert "95 %: 35 % to 53 %" in text
    assert "95 %" not in rendered("stat", label="Hit rate", value="–", n=0)


def test_pager_keeps_the_rest_of_the_query() -> None:
    page = Paginator(range(30), 10).get_page(2)

    text = rendered("pager", path="/?period=7d&page=2", page=page, noun="signals")

    assert 'href="?period=7d&amp;page=1" rel="prev"' in text
    assert 'href="?period=7d&amp;page=3" rel="next"' in text
    assert "Page 2 of 3, 30 signals" in text


@pytest.mark.parametrize(
    ("state", "is_live"), [("queued", True), ("running", True), ("succeeded", False), ("failed", False)]
)
def test_job_asks_again_until_it_has_ended(state: str, is_live: bool) -> None:
    job = SimpleNamespace(
        pk="1", kind="backtest", owner="ada", state=state, get_state_display=state.title(), progress_done=3,
        progress_total=10, message="", error="no <candles>" if state == "failed" else "", cancel_asked_at=None,
        ended_at=None if is_live else "now",
    )  # fmt: skip

    text = rendered("job_progress", job=job, progress_url="/p/", cancel_url="/c/")

    assert ('hx-get="/p/"' in text) is is_live
    assert ("<progress" in text) is is_live
    assert ('action="/c/"' in text) is is_live
    assert ("no &lt;candles&gt;" in text) is (state == "failed")
    assert ('max="10" value="3"' in text) is is_live


def test_chips_name_what_is_compared_and_how_to_leave_it_out() -> None:
    text = rendered(
        "compare", chips=[{"title": "Run 1", "url": "/1/", "without_url": "?run=2"}], add_url="/runs/"
    )

    assert '<a href="/1/">Run 1</a>' in text
    assert 'aria-label="Without Run 1"' in text
    assert 'href="/runs/"' in text


def test_tabs_mark_the_current_one() -> None:
    text = rendered("tabs", label="Period", tabs=[("1h", "?period=1h", False), ("24h", "?period=24h", True)])

    assert '<a href="?period=24h" aria-current="true">24h</a>' in text
    assert text.count("aria-current") == 1
