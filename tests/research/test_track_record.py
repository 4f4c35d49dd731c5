"""The public record: right from the ledger alone, public to all, early to nobody, checked by a stranger."""

import math
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from research.engine.track_record import Published, TierRule, line, rate_interval, track_record
from research.models import TrackRecord
from research.services.track_record import compile_track_record
from research.views.track_record import export_of
from signals.engine.performance import deepest_fall
from signals.models import Signal
from signals.services.ledger_heads import sign_head
from tests.notifications.rows import make_outcome, make_signal, make_tier
from tests.static.test_verify_ledger import script

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def signal(number: int, r: float = math.nan, **values: object) -> Published:
    at = NOON + number * DAY
    ended = (
        {}
        if math.isnan(r)
        else {"exit_reason": "target" if r > 0 else "stop", "exited_at": at, "r_multiple": r}
    )
    return Published(**{"published_at": at, "expires_at": at + 4 * 60 * MINUTE, "strategy": "rsi", "confidence": 0.7,
        "experimental": False} | ended | values)  # fmt: skip


def test_a_line_counts_everything_that_was_published() -> None:
    given = [
        signal(0, 2.0),
        signal(1, -1.0),
        signal(8, -1.0),
        signal(9, 0.0, exit_reason="expiry"),
        signal(10),
    ]
    told = line("all", given)
    assert (told.published, told.ended, told.open) == (5, 4, 1)
    assert (told.targets, told.stops, told.expired) == (1, 2, 1)
    assert (told.hit_rate, told.mean_r, told.total_r, told.drawdown_r) == (0.25, 0.0, 0.0, -2.0)
    assert told.hit_rate_low is not None
    assert told.hit_rate_low < 0.25
    assert told.mean_r_low is not None
    assert told.mean_r_low < 0 < (told.mean_r_high or 0)


def test_nothing_is_known_of_nothing() -> None:
    told = line("none", [])
    assert (told.hit_rate, told.mean_r, told.drawdown_r, told.hit_rate_low) == (None, None, None, None)


def test_the_deepest_fall_begins_at_zero_and_follows_the_order_of_ends() -> None:
    assert deepest_fall([-1.0, -1.0, 5.0, -1.5]) == -2.0
    assert deepest_fall([1.0, 2.0]) == 0.0
    late = signal(0, -3.0, exited_at=NOON + 30 * DAY)
    assert line("x", [late, signal(1, 1.0), signal(2, 1.0)]).drawdown_r == -3.0


def test_a_tier_is_told_what_it_was_not_given() -> None:
    signals = [
        signal(0, 1.0),
        signal(1, 1.0, experimental=True),
        signal(2, -1.0, expires_at=NOON + 2 * DAY + MINUTE),
    ]
    tiers = [TierRule("free", "Free", 900, experimental=False), TierRule("vip", "VIP", 0, experimental=True)]
    free, vip = track_record(signals, tiers)["tiers"]
    assert (free["published"], free["held_back"], free["ended"]) == (3, 2, 1)
    assert (vip["published"], vip["held_back"], vip["ended"]) == (3, 0, 3)


def test_the_interval_of_a_share_is_wilsons_where_trials_are_independent() -> None:
    """Newcombe (1998), table I: 81 of 263, 95 %."""
    hits = [True] * 81 + [False] * 182
    low, high = rate_interval(hits, list(range(263)))
    assert (low, high) == (pytest.approx(0.2553, abs=5e-4), pytest.approx(0.3662, abs=5e-4))


def test_the_interval_is_wider_where_signals_move_together() -> None:
    hits = [True] * 20 + [False] * 20
    alone, together = (
        rate_interval(hits, list(range(40))),
        rate_interval(hits, [each // 10 for each in range(40)]),
    )
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])
    assert rate_interval([True] * 9, [1] * 9)[0] < 0.3  # one week proves little


# --- Page, files and command ---


@pytest.fixture
def ledger(db: None, settings: Settings) -> None:
    """Nine signals, eight of which have ended, signed twenty minutes ago; and two that came since."""
    settings.LEDGER_SIGNING_KEY = "ab" * 32
    export_of.cache_clear()
    make_tier(name="Free", delay_seconds=900)
    make_tier(name="VIP", delay_seconds=0, experimental=True)
    now = timezone.now()
    for number in range(9):
        made = make_signal(published_at=now - (30 - number) * DAY, strategy=f"strategy-{number % 2}")
        if number:
            make_outcome(
                signal=made,
                exit_reason="target" if number % 3 else "stop",
                r_multiple=1.5 if number % 3 else -1.0,
            )
    sign_head(now=now - 20 * MINUTE)
    make_signal(published_at=now - 10 * MINUTE, strategy="still-secret")
    sign_head(now=now - 5 * MINUTE)


def test_the_page_needs_no_login_begins_no_session_and_is_cached(ledger: None, client: Client) -> None:
    compile_track_record(now=timezone.now())
    answer = client.get("/track-record/")
    page = answer.content.decode()

    assert answer.status_code == 200
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert "public" in answer["Cache-Control"]
    assert client.get("/track-record/", headers={"if-none-match": answer["ETag"]}).status_code == 304
    for words in (
        "strategy-0",
        "strategy-1",
        "VIP",
        "75%",
        "+0.88 R",
        "n = 8",
        "8 ended, 1 open",
        "Simulated",
    ):
        assert words in page
    assert "still-secret" not in page


def test_nothing_is_shown_before_every_tier_has_had_it(ledger: None, client: Client) -> None:
    compile_track_record(now=timezone.now())
    for name in ("", "ledger.jsonl", "head.json"):
        told = client.get(f"/track-record/{name}").content.decode()
        assert "still-secret" not in told
    assert client.get("/track-record/ledger.jsonl").content.count(b"\n") == 17


def test_anybody_downloads_the_receipt_of_a_public_signal_and_of_no_other(
    ledger: None, client: Client
) -> None:
    asked = "/track-record/receipt"
    public, secret = Signal.objects.get(ledger_entry=1), Signal.objects.get(strategy="still-secret")
    assert client.get(asked, {"signal": str(public.public_id)}).status_code == 404, "no record yet"
    compile_track_record(now=timezone.now())

    answer = client.get(asked, {"signal": f" {public.public_id} "})
    assert answer.status_code == 200
    assert f"receipt-{public.public_id}.json" in answer["Content-Disposition"]
    text = answer.content.decode().strip()
    key = client.get("/track-record/public-key.txt").content.decode().strip()
    assert script.check_receipt(script.parse(text), {key})["public_id"] == str(public.public_id)
    assert str(secret.public_id) not in text
    for rubbish in (str(secret.public_id), "", "x" * 4_000, "\x00", "<b>1</b>"):
        answer = client.get(asked, {"signal": rubbish})
        assert answer.status_code in (400, 404), rubbish
        assert "<b>1" not in answer.content.decode()


def test_a_longer_delay_hides_what_was_public(ledger: None, client: Client) -> None:
    compile_track_record(now=timezone.now())
    make_tier(delay_seconds=3600)
    assert "Nothing is public yet" in client.get("/track-record/").content.decode()
    assert client.get("/track-record/ledger.jsonl").status_code == 404


def test_a_stranger_downloads_and_checks(
    ledger: None, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compile_track_record(now=timezone.now())
    for name in ("ledger.jsonl", "head.json", "public-key.txt", "verify_ledger.py"):
        answer = client.get(f"/track-record/{name}")
        assert "attachment" in answer["Content-Disposition"]
        (tmp_path / name).write_bytes(answer.content)
    files = [str(tmp_path / name) for name in ("ledger.jsonl", "head.json", "public-key.txt")]
    assert script.main([files[0], "--head", files[1], "--key", files[2]]) == 0
    assert "OK: 17 entries" in capsys.readouterr().out
    assert (tmp_path / "verify_ledger.py").read_text() == Path(script.__file__).read_text()


@pytest.mark.slow
def test_a_record_is_worked_out_once_for_each_head_and_rule(ledger: None) -> None:
    now = timezone.now()
    made = [compile_track_record(now=now), compile_track_record(now=now)]
    make_tier(delay_seconds=60)
    made.append(compile_track_record(now=now))
    made.append(compile_track_record(now=now + 20 * MINUTE))
    assert [each is not None for each in made] == [True, False, True, True]
    assert TrackRecord.objects.first().figures["total"]["published"] == 10


@pytest.mark.parametrize(
    "address", ["/track-record/", "/track-record/ledger.jsonl", "/track-record/../x", "/track-record/x"]
)
def test_an_empty_installation_answers(db: None, client: Client, address: str) -> None:
    assert client.get(address).status_code == (200 if address == "/track-record/" else 404)
    assert client.post(address).status_code in (404, 405)


def test_the_command_writes_what_the_script_accepts(ledger: None, tmp_path: Path) -> None:
    said, file = StringIO(), tmp_path / "ledger.jsonl"
    call_command("export_ledger", str(file), stdout=said)
    assert script.main([str(file), "--head", f"{file}.head", "--key", f"{file}.key"]) == 0
    assert "17 entries" in said.getvalue()
    assert "still-secret" not in file.read_text()


def test_the_command_says_when_nothing_may_be_exported(db: None) -> None:
    with pytest.raises(CommandError, match="no head"):
        call_command("export_ledger")
