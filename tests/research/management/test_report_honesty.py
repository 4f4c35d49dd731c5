from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

SMALL = {"seeds": 5, "many_seeds": 5, "matrices": 2, "tests": 2, "portfolios": 1}


def test_the_page_is_written_and_a_missed_goal_is_the_status(tmp_path: Path) -> None:
    told = StringIO()

    with pytest.raises(SystemExit) as left:
        call_command("report_honesty", markdown=tmp_path / "honesty.md", stderr=told, **SMALL)

    assert left.value.code == 1
    assert "mean of 2 noise matrices" in told.getvalue().splitlines()[-1]
    page = (tmp_path / "honesty.md").read_text()
    assert page.startswith("# What the tools against luck say")
