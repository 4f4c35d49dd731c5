"""Backtests and portfolios over the API: 202 and a job, progress, the result, and a refusal that names its field."""

from typing import Any

import pytest

from research.models import Backtest, PortfolioStudy
from research.services.backtests import carry_out_backtest
from signals.models import Job
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from tests.autopilot.api.test_instances import caller, post
from tests.research.services.test_backtests import two_markets
from users.engine.api_key import ApiScope

pytestmark = pytest.mark.django_db
BACKTESTS, PORTFOLIOS = "/api/research/backtests/", "/api/research/portfolios/"


def body(**values: Any) -> dict[str, Any]:
    symbols = [each.symbol for each in two_markets(values.pop("bars", 30))]
    dates = {"start": "2025-01-25T00:00:00Z", "end": "2025-04-11T00:00:00Z"}
    return {"instruments": symbols, **dates} | values


def test_a_backtest_is_accepted_followed_and_read() -> None:
    client = caller()
    answer = post(client, BACKTESTS, **body(strategy="rsi", parameters={"period": 12}, bars=2400))
    assert answer.status_code == 202
    made = Backtest.objects.get()
    assert answer.json() == {"id": str(made.pk), "job_id": str(made.job_id), "state": "queued"}
    assert made.parameters["parameters"] == {"period": 12}
    waiting = client.get(f"{BACKTESTS}{made.pk}/").json()
    assert (waiting["state"], waiting["result"], waiting["error"]) == ("queued", None, None)
    job = take_lease(job_id=made.job_id)
    assert job is not None
    carry_out(job=job, work=lambda run: carry_out_backtest(backtest=made, progress=run.progress))
    done = client.get(f"{BACKTESTS}{made.pk}/").json()
    assert done["state"] == "succeeded"
    assert done["progress"]["done"] == done["progress"]["total"] == 3
    assert done["result"]["verdict"]["trials"] == 1
    assert [each["id"] for each in client.get(BACKTESTS).json()["results"]] == [str(made.pk)]


def test_a_portfolio_is_accepted() -> None:
    client = caller()
    answer = post(client, PORTFOLIOS, **body(objective="risk_parity"))
    assert answer.status_code == 202
    made = PortfolioStudy.objects.get()
    assert answer.json()["job_id"] == str(made.job_id) == str(Job.objects.get(kind="portfolio").pk)
    assert client.get(f"{PORTFOLIOS}{made.pk}/").json()["parameters"]["objective"] == "risk_parity"


@pytest.mark.parametrize(
    ("path", "wrong", "field"),
    [
        (BACKTESTS, {"strategy": "magic"}, "strategy"),
        (BACKTESTS, {"strategy": "rsi", "end": "2024-01-01T00:00:00Z"}, "end"),
        (BACKTESTS, {"strategy": "rsi", "instruments": ["NONE/USD"]}, "instruments"),
        (BACKTESTS, {"strategy": "rsi", "instruments": []}, "instruments"),
        (BACKTESTS, {"strategy": "rsi", "parameters": {"period": 0}}, "parameters"),
        (BACKTESTS, {"strategy": "rsi", "parameters": {"colour": 1}}, "parameters"),
        (BACKTESTS, {"strategy": "fused", "timeframe": "4h"}, "timeframe"),
        (BACKTESTS, {"strategy": "rsi", "timeframe": "7m"}, "timeframe"),
        (BACKTESTS, {"strategy": "rsi", "cash": -1}, "cash"),
        (BACKTESTS, {}, "strategy"),
        (PORTFOLIOS, {"objective": "magic"}, "objective"),
        (PORTFOLIOS, {"objective": "target_risk"}, "target_risk"),
        (PORTFOLIOS, {"low": 0.9, "high": 0.1}, "low"),
    ],
)
def test_a_refusal_names_its_field(path: str, wrong: dict[str, Any], field: str) -> None:
    answer = post(caller(), path, **body(**wrong))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Job.objects.exists()


def test_one_instrument_is_no_portfolio() -> None:
    asked = body()
    answer = post(caller(), PORTFOLIOS, **(asked | {"instruments": asked["instruments"][:1]}))
    assert list(answer.json()["errors"]) == ["instruments"]


def test_scopes_and_unknown_ids() -> None:
    reader = caller(ApiScope.READ)
    assert post(reader, BACKTESTS, **body(strategy="rsi")).status_code == 403
    assert reader.get(BACKTESTS).status_code == 200
    for path in (BACKTESTS, PORTFOLIOS):
        assert reader.get(f"{path}nonsense/").status_code == 404
        assert reader.get(f"{path}00000000-0000-4000-8000-000000000000/").status_code == 404
    assert caller(ApiScope.TRADE).get(BACKTESTS).status_code == 403
