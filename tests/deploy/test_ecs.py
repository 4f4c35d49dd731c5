"""deploy/ecs: a template that validates, runs the processes of compose, and a script that migrates first."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from copilot_project.production import NEEDS

REPOSITORY = Path(__file__).resolve().parents[2]
ECS = REPOSITORY / "deploy/ecs"
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
PROCESSES = ["migrate", "web", "worker", "training-worker", "beat", "sender", "executor"]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as {"!Ref": …}."""


Loader.add_multi_constructor(
    "!",
    lambda loader, suffix, node: {
        f"!{suffix}": loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node, deep=True)
    },
)
TEMPLATE: dict[str, Any] = yaml.load((ECS / "copilot.yml").read_text(), Loader)
RESOURCES = TEMPLATE["Resources"]


def container(process: str) -> dict[str, Any]:
    name = "".join(part.title() for part in process.split("-"))
    (found,) = RESOURCES[f"{name}Task"]["Properties"]["ContainerDefinitions"]
    return found


def service(process: str) -> dict[str, Any]:
    name = "".join(part.title() for part in process.split("-"))
    return RESOURCES[f"{name}Service"]["Properties"]


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    program = Path(sys.executable).parent / "cfn-lint"
    if not program.exists():
        pytest.skip("no cfn-lint: install requirements-dev.txt")
    process = subprocess.run(
        [str(program), str(ECS / "copilot.yml")], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("process", PROCESSES)
def test_process_runs_the_command_of_compose_hardened(process: str) -> None:
    defined = container(process)
    assert defined["Command"] == COMPOSE[process]["command"]
    assert defined["User"] == "10001:10001"
    assert defined["ReadonlyRootFilesystem"] is True
    assert defined["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    environment = {each["Name"]: each["Value"] for each in defined["Environment"]}
    assert (environment["COPILOT_ENV"], environment["COPILOT_PROCESS"]) == ("production", process)
    assert environment["PGOPTIONS"] == COMPOSE[process]["environment"]["PGOPTIONS"]


@pytest.mark.parametrize("process", PROCESSES)
def test_process_is_given_what_it_asks_for_from_the_secret_and_no_value(process: str) -> None:
    defined = container(process)
    secrets = {each["Name"]: each["ValueFrom"] for each in defined["Secrets"] if "Name" in each}
    assert {name.upper() for name in NEEDS[process]} <= secrets.keys()
    assert all(value == {"!Sub": f"${{SecretArn}}:{name}::"} for name, value in secrets.items()), (
        "by name from Secrets Manager"
    )
    plain = {each["Name"] for each in defined["Environment"]}
    assert not [
        name for name in plain if re.search(r"SECRET|TOKEN|PASSWORD|_KEY|(DATABASE|REDIS|CACHE)_URL", name)
    ]


@pytest.mark.parametrize("process", ["beat", "executor"])
def test_exactly_one_even_while_it_is_replaced(process: str) -> None:
    one = service(process)
    assert one["DesiredCount"] == 1
    configured = one["DeploymentConfiguration"]
    assert (configured["MinimumHealthyPercent"], configured["MaximumPercent"]) == (0, 100)


@pytest.mark.parametrize("process", PROCESSES[1:])
def test_a_version_that_does_not_become_healthy_is_taken_back(process: str) -> None:
    breaker = service(process)["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
    assert breaker == {"Enable": True, "Rollback": True}
    assert container(process)["HealthCheck"]


def test_executor_speaks_to_its_exchanges_and_inside_only() -> None:
    assert service("executor")["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"] == [
        {"!Ref": "ExecutorGroup"}
    ]
    allowed = RESOURCES["ExecutorGroup"]["Properties"]["SecurityGroupEgress"]
    assert [(each["ToPort"], each["CidrIp"]["!Ref"]) for each in allowed] == [
        (5432, "VpcCidr"),
        (443, "VpcCidr"),
        (443, "ExchangeCidr"),
    ]
    assert "Default" not in TEMPLATE["Parameters"]["ExchangeCidr"]


def test_load_balancer_asks_livez_and_hides_metrics() -> None:
    assert RESOURCES["WebTargets"]["Properties"]["HealthCheckPath"] == "/livez"
    rule = RESOURCES["NoMetrics"]["Properties"]
    assert rule["Conditions"][0]["PathPatternConfig"]["Values"] == ["/metrics"]


AWS = """#!/bin/sh
printf '%s\\n' "$*" >> "$JOURNAL"
case "$*" in
    $FAILING) exit 1 ;;
    *RunningImage*) echo "$RUNNING" ;;
    *run-task*) echo arn:task ;;
    *exitCode*) echo "${EXIT_CODE:-0}" ;;
    *describe-stacks*) echo value ;;
esac
"""


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    shutil.copytree(ECS, tmp_path / "ecs")
    (tmp_path / "ecs/parameters.env").write_text("# mine\nVpc=vpc-1\nPublicSubnets=a,b\n")
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "aws").chmod(0o755)
    return tmp_path


def deploy(folder: Path, **told: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    journal = folder / "journal"
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "JOURNAL": str(journal),
        "RUNNING": "old",
        "FAILING": "nothing",
    }
    process = subprocess.run(
        [str(folder / "ecs/deploy.sh"), "new@sha256:1", "v2"],
        env=environment | told,
        capture_output=True,
        text=True,
        check=False,
    )
    asked = journal.read_text().splitlines() if journal.exists() else []
    return process, [line for line in asked if "describe-stacks" not in line]


def test_it_migrates_with_the_new_image_before_a_service_changes(installation: Path) -> None:
    process, asked = deploy(installation)
    assert process.returncode == 0, process.stderr
    first, run, wait, told, last = asked
    assert "MigrateImage=new@sha256:1 Image=old CodeVersion=v2 Vpc=vpc-1 PublicSubnets=a,b" in first
    assert run.startswith("ecs run-task")
    assert wait.startswith("ecs wait tasks-stopped")
    assert "exitCode" in told
    assert "MigrateImage=new@sha256:1 Image=new@sha256:1" in last
    assert "Before it: old" in process.stdout


def test_a_failed_migration_leaves_the_services_alone(installation: Path) -> None:
    process, asked = deploy(installation, EXIT_CODE="1")
    assert process.returncode == 1
    assert "the services run the old version" in process.stderr
    assert not [line for line in asked if " Image=new" in line]


def test_services_that_do_not_become_healthy_are_told_with_the_way_back(installation: Path) -> None:
    process, _ = deploy(installation, FAILING="cloudformation deploy * Image=new*")
    assert process.returncode == 1
    assert "ECS went back to old" in process.stderr
    assert "MIGRATE=no deploy/ecs/deploy.sh old" in process.stderr


def test_going_back_runs_no_migration(installation: Path) -> None:
    process, asked = deploy(installation, MIGRATE="no")
    assert process.returncode == 0
    assert not [line for line in asked if "run-task" in line]


def test_workflow_tests_before_it_builds_and_asks_before_it_deploys() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/cicd.yml").read_text())
    jobs = workflow["jobs"]
    assert jobs["build"]["needs"] == "test"
    assert (jobs["deploy"]["needs"], jobs["deploy"]["environment"]) == ("build", "production")
    assert jobs["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert workflow["permissions"] == {"contents": "read"}
    steps = json.dumps([step for job in jobs.values() for step in job["steps"]])
    assert "AWS_SECRET_ACCESS_KEY" not in steps, "by OIDC, no key is kept"
    for step in (step for job in jobs.values() for step in job["steps"]):
        assert "github.event" not in step.get("run", ""), "what a stranger writes is no shell"


def test_actionlint_finds_nothing() -> None:
    program = shutil.which("actionlint")
    if not program:
        pytest.skip("no actionlint: its package carries no program here")
    process = subprocess.run([program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout
