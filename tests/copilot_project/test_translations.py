"""The bot's second language is complete, and its catalogue is what the .po says."""

import gettext
import re
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.template.loader import render_to_string
from django.utils.translation import override

from copilot_project.translations import mo_bytes, read_po, to_translate
from notifications.services.bot.menu import menu_of
from users.engine.subscriber import Language

REPOSITORY = Path(__file__).resolve().parents[2]
GERMAN = REPOSITORY / "locale/de/LC_MESSAGES/django.po"
PLACES = re.compile(r"%\(\w+\)[sd]|%%|</?[a-z]+>|/[a-z]+\b")


def test_everything_that_is_marked_is_translated_and_nothing_else() -> None:
    entries = read_po(GERMAN.read_text())
    assert set(entries) - {""} == to_translate(REPOSITORY)
    assert all(entries.values())


def test_catalogue_is_compiled_from_what_stands_there() -> None:
    assert GERMAN.with_suffix(".mo").read_bytes() == mo_bytes(read_po(GERMAN.read_text()))


def test_places_tags_and_commands_are_the_same_in_both_languages() -> None:
    for english, german in read_po(GERMAN.read_text()).items():
        if english:
            assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(german)), english


def test_compiled_catalogue_is_read_by_pythons_own_gettext() -> None:
    entries = {"": "Content-Type: text/plain; charset=UTF-8\n", "a": "ä", "b\n": "ß", "z": ""}
    catalogue = gettext.GNUTranslations(BytesIO(mo_bytes(entries)))
    assert [catalogue.gettext(each) for each in ("a", "b\n", "z", "?")] == ["ä", "ß", "z", "?"]


def test_line_that_is_none_of_a_po_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line"):
        read_po('msgid "a"\nwrong "b"\n')


def test_templates_and_menu_speak_german() -> None:
    with override("de"):
        assert "Dieser Chat ist nicht verbunden" in render_to_string("notifications/telegram/nobody.html")
        percent = render_to_string("notifications/telegram/settings_choose.html", {"setting": "risk"})
    assert "70 %," in percent
    assert dict(menu_of(Language.GERMAN))["help"] == "Was ich kann"
    assert all(len(words) <= 256 for language in Language for _, words in menu_of(language))


def test_command_lists_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("translations", missing=True)
    assert "complete" in capsys.readouterr().out
