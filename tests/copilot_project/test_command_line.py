"""How `manage.py` begins a command."""

from typing import Any

import pytest
from django.core.management.base import BaseCommand

from copilot_project.command_line import main


@pytest.mark.django_db
def test_a_command_of_ours_runs_no_system_check_and_djangos_do(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def check(command: BaseCommand, *args: Any, **options: Any) -> None:
        checked.append(type(command).__module__)

    monkeypatch.setattr(BaseCommand, "check", check)
    assert main(["manage.py", "load_tiers"]) == 0
    assert checked == []
    assert main(["manage.py", "check"]) == 0
    assert checked == ["django.core.management.commands.check"]
