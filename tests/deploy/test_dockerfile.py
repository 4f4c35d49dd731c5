"""Dockerfile and .dockerignore: linted, pinned as the requirements are, without what must not be in an image."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django.conf import settings

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
ALLOWED = [
    line.removeprefix("!")
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
]


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).parent / "hadolint"
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if not program:
        pytest.skip("no hadolint: install requirements-dev.txt")
    process = subprocess.run(
        [program, "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_torch_is_the_version_of_the_requirements() -> None:
    (locked,) = re.findall(r"^torch==\S+", (REPOSITORY / "requirements.txt").read_text(), re.M)
    assert f" {locked}\n" in DOCKERFILE


def test_image_installs_the_pins_by_their_hashes() -> None:
    pins = re.findall(r"^[a-z][^ ;\n]*==[^ ;\n]+", (REPOSITORY / "requirements.txt").read_text(), re.M)
    hashed = (REPOSITORY / "requirements.hashed.txt").read_text()
    blocks = re.findall(
        r"^([a-z][^ ;\n]*==[^ ;\n]+)[^\\\n]*((?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+)", hashed, re.M
    )
    assert [pin for pin, _ in blocks] == pins, "run make lock"
    assert "pip install --no-deps --require-hashes -r /requirements.hashed.txt" in DOCKERFILE


def test_base_images_are_pinned_and_equal() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(bases) == 2
    assert set(bases) == {"python:3.11.14-slim-bookworm"}


def test_last_user_is_not_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.M) == ["10001:10001"]


def test_no_host_of_a_package_index_and_no_secret_argument_is_in_it() -> None:
    assert re.findall(r"https?://(?!build\.invalid)\S+", DOCKERFILE) == []
    assert re.findall(r"^ARG (\S+)", DOCKERFILE, re.M) == ["TORCH_INDEX_URL", "CODE_VERSION=unknown"]
    persistent = "".join(re.findall(r"^ENV (?:.*\\\n)*.*", DOCKERFILE, re.M))
    assert not re.search(r"SECRET|TOKEN|PASSWORD|_URL", persistent)


def test_image_gets_every_app_and_neither_tests_nor_stand_ins() -> None:
    apps = {app.partition(".")[0] for app in settings.INSTALLED_APPS}
    ours = {app for app in apps if (REPOSITORY / app).is_dir()}
    assert set(ALLOWED) == ours | {
        *("static", "templates", "locale", "manage.py", "requirements.hashed.txt"),
        *("deploy/entrypoint.sh", "deploy/sbom.py"),
    }
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert lines.index("*") < lines.index(f"!{ALLOWED[0]}"), "first everything is shut out"
    assert "copilot_project/sandbox" in lines


@pytest.mark.slow
def test_static_files_are_collected_by_the_command_of_the_image(tmp_path: Path) -> None:
    """A dry run of that very line, in an environment with nothing else, from a tree as the image has it."""
    ignore = shutil.ignore_patterns("__pycache__", "sandbox")
    for name in ALLOWED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=ignore)
        else:
            shutil.copy(source, tmp_path)
    (command,) = re.findall(r"^RUN (random=(?:.*\\\n)*.*)", DOCKERFILE, re.M)
    process = subprocess.run(
        ["sh", "-c", command.replace("\\\n", " ") + " --dry-run"],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COPILOT_STATE_DIR": str(tmp_path / "state"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert re.search(r"\d+ static files copied|Pretending to copy", process.stdout)
    assert shlex.split(command)[-2:] == ["collectstatic", "--noinput"]


def test_entrypoint_copies_the_cache_of_the_image_and_becomes_the_command(tmp_path: Path) -> None:
    script = (REPOSITORY / "deploy/entrypoint.sh").read_text().replace("/opt/numba", str(tmp_path / "image"))
    (tmp_path / "image").mkdir()
    (tmp_path / "image/compiled").write_text("code")
    environment = {
        "PATH": "/usr/bin:/bin",
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "ALLOWED_HOSTS": "copilot.test",
        "ALLOW_OWN_ADDRESS": "1",
    }
    process = subprocess.run(
        ["sh", "-c", script, "entrypoint", "sh", "-c", "echo $ALLOWED_HOSTS; exit 3"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 3, process.stderr
    assert (tmp_path / "numba/compiled").read_text() == "code"
    assert (tmp_path / "metrics").is_dir()
    assert re.fullmatch(r"copilot\.test(,[0-9a-f:.]+)+\n", process.stdout)


def test_image_is_built_with_its_numba_cache_and_a_list_of_its_contents() -> None:
    assert "NUMBA_CACHE_DIR=/opt/numba python manage.py warm_cache" in DOCKERFILE
    assert 'ENTRYPOINT ["/app/deploy/entrypoint.sh"]' in DOCKERFILE
    assert "python deploy/sbom.py copilot" in DOCKERFILE


def test_list_of_contents_names_each_distribution_once() -> None:
    process = subprocess.run(
        [sys.executable, "deploy/sbom.py", "copilot", "v1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = json.loads(process.stdout)
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    names = [each["purl"] for each in listed["components"]]
    assert len(names) == len(set(names))
    assert f"pkg:pypi/django@{django.__version__}" in names
