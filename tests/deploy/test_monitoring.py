"""Alert rules and dashboards parse, and ask only for metrics that some process exposes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.test import Client
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

import notifications.telemetry  # noqa: F401  (for what it registers)
import signals.telemetry  # noqa: F401
from copilot_project.metrics import system_registry

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"][0]["rules"]
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
}
DASHBOARD = DASHBOARDS["copilot"]
SUFFIXES = {
    "counter": ["_total"],
    "gauge": [""],
    "histogram": ["_bucket", "_count", "_sum"],
    "summary": ["_count", "_sum"],
}
FROM_PROMETHEUS = {"up", "ALERTS"}


def dashboard_expressions() -> list[str]:
    found = [
        target["expr"]
        for board in DASHBOARDS.values()
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


EXPRESSIONS = list(dict.fromkeys([*(rule["expr"] for rule in RULES), *dashboard_expressions()]))


def metric_names(expression: str) -> set[str]:
    names = set()

    def note(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            names.add(part.name)

    promql_parser.walk(promql_parser.parse(expression), note)
    return names


@pytest.fixture
def exposed(db: None, client: Client) -> set[str]:
    """Names of all samples: counters of the processes (Django's included), the system's gauges, recorded rules."""
    client.get("/livez")  # loads the middleware, which registers Django's
    families: list[Metric] = [*REGISTRY.collect(), *system_registry().collect()]
    names = {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, [])}
    return names | FROM_PROMETHEUS | {rule["record"] for rule in RULES if "record" in rule}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_asks_for_metrics_that_exist(expression: str, exposed: set[str]) -> None:
    names = metric_names(expression)
    assert names, "an expression without a metric says nothing"
    assert names <= exposed


def test_each_metric_of_ours_is_shown_or_watched(exposed: set[str]) -> None:
    asked = set().union(*map(metric_names, EXPRESSIONS))
    ours = {name for name in exposed if name.startswith("copilot_")}
    # A count of foreign bodies behind the right secret: worth a look when something else is wrong, no panel of its own.
    assert ours - asked <= {"copilot_unreadable_updates_total"}


def test_each_alert_waits_and_says_what_to_do() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert len(alerts) == 17
    for alert in alerts:
        assert alert["for"]
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "action", "runbook"}
        page, anchor = alert["annotations"]["runbook"].split("#")
        headings = re.findall(r"^### (.*)$", (DEPLOY.parent / page).read_text(), re.M)
        assert anchor in [heading.lower() for heading in headings], "nobody says what to do"


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    outcomes = {
        (check["alertname"], bool(check["exp_alerts"])) for case in cases for check in case["alert_rule_test"]
    }
    assert outcomes == {
        (rule["alert"], fires) for rule in RULES if "alert" in rule for fires in (True, False)
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "rules.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "rules_test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: list[str]) -> None:
    if not shutil.which("promtool"):
        pytest.skip("no promtool: install Debian's package prometheus")
    process = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_each_expression_finds_something_in_series_as_we_expose_them(tmp_path: Path) -> None:
    """Evaluated by promtool, over one series for each selector."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool: install Debian's package prometheus")
    shown = dashboard_expressions()
    series = {series_of(selector) for expression in shown for selector in selectors(expression)}
    checks = [
        {
            "expr": f"count({expression}) > bool 0",
            "eval_time": "10m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in shown
    ]
    inputs = [{"series": name, "values": "0+3x60"} for name in sorted(series)]
    case = {"interval": "15s", "input_series": inputs, "promql_expr_test": checks}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": [case]}))
    process = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found = []

    def note(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found.append(part)

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


def series_of(selector: promql_parser.VectorSelector) -> str:
    """A series that the selector takes; le= for a quantile of a histogram."""
    labels = {matcher.name: matcher.value.split("|")[0] for matcher in selector.matchers.matchers}
    if selector.name.endswith("_bucket"):
        labels["le"] = "+Inf"
    return selector.name + "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def test_prometheus_asks_the_ports_at_which_the_processes_answer() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    ports = {
        "web": compose["web"]["command"][compose["web"]["command"].index("--port") + 1],
        "worker": compose["worker"]["environment"]["WORKER_METRICS_PORT"],
        "training-worker": compose["training-worker"]["environment"]["WORKER_METRICS_PORT"],
        "sender": compose["sender"]["environment"]["SENDER_METRICS_PORT"],
    }
    assert targets == {service: [f"{service}:{port}"] for service, port in ports.items()}
    for service in targets:
        assert "inside" in compose[service]["networks"]
    token_file = config["scrape_configs"][0]["authorization"]["credentials_file"]
    assert f'"$$METRICS_TOKEN" > {token_file}' in compose["prometheus"]["entrypoint"][-1]


def test_dashboard_is_provisioned_and_cannot_be_edited_in_place() -> None:
    provisioning = DEPLOY / "grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards/copilot.yml").read_text())["providers"][0]
    assert (DASHBOARD["uid"], provider["allowUiUpdates"], source["editable"]) == ("copilot", False, False)
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS)
    for board in DASHBOARDS.values():
        assert board["editable"] is False
        for panel in board["panels"]:
            assert panel["datasource"]["uid"] == source["uid"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    mounts = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["grafana"][
        "volumes"
    ]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
