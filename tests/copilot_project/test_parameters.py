"""Odd parameters answer 400, and cost next to nothing."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from copilot_project.parameters import problem_of
from tests.notifications.rows import make_signal

DATE = "published_at"


@pytest.mark.parametrize(
    "query",
    [
        {"q": "a\0b"},
        {"\0": "x"},
        {"q": " ".join(["word"] * 4000)},
        {"q": "a b c d e f g h i"},
        {"q": "x" * 101},
        {"o": "1" * 2001},
        {f"{DATE}__year": "99999"},
        {f"{DATE}__year": "9999", f"{DATE}__month": "12", f"{DATE}__day": "31"},
        {f"{DATE}__year": "0"},
        {f"{DATE}__year": "2026", f"{DATE}__month": "13"},
        {f"{DATE}__year": "2026", f"{DATE}__month": "9" * 30},
        {f"{DATE}__year": "²"},
        {f"{DATE}__year": "-1"},
    ],
)
@pytest.mark.django_db
def test_list_refuses_with_400_and_asks_the_database_for_nothing(
    admin_client: Client, query: dict[str, str]
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert admin_client.get("/admin/signals/signal/", query).status_code == 400
    assert len(asked) == 0


@pytest.mark.parametrize(
    "query",
    [
        {"q": "BTC"},
        {"q": "one two three"},
        {f"{DATE}__year": "2026", f"{DATE}__month": "5", f"{DATE}__day": "4"},
    ],
)
@pytest.mark.django_db
def test_list_answers_what_makes_sense(admin_client: Client, query: dict[str, str]) -> None:
    make_signal()
    assert admin_client.get("/admin/signals/signal/", query).status_code == 200


@pytest.mark.django_db
def test_search_for_a_field_is_limited_too(admin_client: Client) -> None:
    field = {"app_label": "users", "model_name": "subscriber", "field_name": "tier"}
    assert admin_client.get("/admin/autocomplete/", field | {"term": "vip"}).status_code == 200
    assert admin_client.get("/admin/autocomplete/", field | {"term": "v " * 4000}).status_code == 400


@pytest.mark.parametrize("address", ["/admin/users/tier/%00/change/", "/accounts/login/?next=%00", "/%00"])
@pytest.mark.django_db
def test_nul_is_refused_anywhere(client: Client, address: str) -> None:
    assert client.get(address).status_code == 400


def test_nothing_is_wrong_with_an_ordinary_address() -> None:
    assert problem_of("/admin/", [("next", ["/admin/?a=b"]), ("sessions", ["london", "asia"])]) is None
