"""The deployment's files say only what this project can keep: no container is started here."""

import importlib.util
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from mutirao.settings import known_variables, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
OVERLAYS = [DEPLOY / "compose.model.yml"]
OURS = ("migrate", "api", "worker")
EXACT_TAG = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?")


def load(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load(COMPOSE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run(["sh", DEPLOY / "new-secrets", folder], check=True, capture_output=True)
    return folder


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [str(key), *strings(item)]]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [str(value)]


def test_every_service_is_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "valkey", "chroma", "migrate", "api", "worker"}


@pytest.mark.parametrize("name", OURS)
def test_command_is_a_program_of_this_project(compose: dict[str, Any], project: dict[str, Any], name: str) -> None:
    command = compose["services"][name]["command"]
    if command[:2] == ["python", "-m"]:
        module = importlib.util.find_spec(command[2])
        assert module is not None, f"no module {command[2]}"
        for folder in module.submodule_search_locations or []:
            assert (Path(folder) / "__main__.py").is_file(), f"no {command[2]}.__main__"
        return
    assert command[0] in project["scripts"]
    asked = run([Path(sys.executable).with_name(command[0]), *command[1:], "--help"])
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("path", sorted(p for p in [COMPOSE, *DEPLOY.iterdir()] if p.is_file()), ids=lambda p: p.name)
def test_every_setting_named_is_known(path: Path) -> None:
    named = set(re.findall(r"\bMUTIRAO_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    known = known_variables()
    assert {name for name in named if name not in known and name.removesuffix("_FILE") not in known} == set()


def test_every_image_has_an_exact_tag(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    images |= {f"FROM {n}": image for n, image in enumerate(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))}
    assert {name: image for name, image in images.items() if not EXACT_TAG.fullmatch(image)} == {}


def test_our_image_carries_the_version_of_the_project(compose: dict[str, Any], project: dict[str, Any]) -> None:
    expected = f"mutirao:{project['version']}"
    assert {compose["services"][name]["image"] for name in OURS} == {expected}
    assert expected in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_the_vector_store_has_the_version_of_its_client(compose: dict[str, Any]) -> None:
    locked = pins(ROOT / "requirements" / "runtime.lock")["chromadb"]
    assert compose["services"]["chroma"]["image"] == f"chromadb/chroma:{locked}"


@pytest.mark.parametrize("path", [COMPOSE, *OVERLAYS], ids=lambda p: p.name)
def test_no_secret_is_written_down(path: Path) -> None:
    parsed = load(path)
    assert [text for text in strings(parsed) if re.search(r"://[^/@\s]*:[^/@\s]+@", text)] == []
    for name, service in parsed["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|KEY|SECRET|TOKEN|DATABASE_URL|REDIS_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}={value} is not a file"


@pytest.mark.parametrize("path", [COMPOSE, *OVERLAYS], ids=lambda p: p.name)
def test_compose_refuses_to_start_without_secrets(path: Path) -> None:
    for name, secret in load(path)["secrets"].items():
        assert re.match(r"\$\{SECRETS_DIR:\?[^}]+\}/", secret["file"]), name
        assert secret["file"].endswith(f"/{name}"), name


def test_every_secret_file_used_is_mounted(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        used = {match for text in strings(service) for match in re.findall(r"^/run/secrets/(\S+)$", text)}
        assert used == set(service.get("secrets", [])), name
        assert used <= set(compose["secrets"]), name


def test_only_the_api_is_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"api": ["${API_BIND:-127.0.0.1}:${API_PORT:-8080}:8080"]}
    assert compose["services"]["api"]["environment"]["MUTIRAO_API_PORT"] == "8080"
    assert compose["networks"]["backend"] == {"internal": True}
    for name in ("postgres", "valkey", "chroma", "migrate"):
        assert compose["services"][name]["networks"] == ["backend"]


def test_every_service_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped"), name


def test_every_lasting_service_has_a_health_check_and_is_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if "healthcheck" in service} == set(services) - {"migrate"}
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "valkey": {"condition": "service_healthy"},
            "chroma": {"condition": "service_healthy"},
        }
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_data_lies_in_named_volumes_and_artifacts_are_shared(compose: dict[str, Any]) -> None:
    services, volumes = compose["services"], set(compose["volumes"])
    assert volumes == {"postgres", "chroma", "artifacts"}
    for service in services.values():
        assert {mount.partition(":")[0] for mount in service.get("volumes", [])} <= volumes
    for name in ("api", "worker"):
        folder = services[name]["environment"]["MUTIRAO_ARTIFACTS_DIR"]
        assert services[name]["volumes"] == [f"artifacts:{folder}"]


@pytest.mark.parametrize("name", OURS)
def test_settings_of_each_service_load(
    compose: dict[str, Any], name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in [*known_variables(), *(f"{known}_FILE" for known in known_variables())]:
        monkeypatch.setenv(variable, "")  # so that what load_settings puts there is taken back
        monkeypatch.delenv(variable)
    for variable, value in compose["services"][name]["environment"].items():
        filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        monkeypatch.setenv(variable, filled.replace("/run/secrets", str(secrets)))
    stack = load_settings().stack
    password = (secrets / "postgres_password").read_text(encoding="utf-8").strip()
    assert stack.database_url is not None
    assert stack.database_url.get_secret_value() == f"postgresql://mutirao:{password}@postgres:5432/mutirao"


def test_new_secrets_are_readable_in_a_container_and_nowhere_else(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir() if path.name != ".gitignore"}
    assert made == dict.fromkeys(
        ("api_key", "database_url", "postgres_password", "redis_url", "secret_key", "valkey.conf"), 0o444
    )
    assert (secrets / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_new_secrets_differ_every_time_and_are_never_overwritten(secrets: Path, tmp_path: Path) -> None:
    key = (secrets / "api_key").read_text(encoding="utf-8")
    assert re.fullmatch(r"mk_[0-9a-f]{8}\.[A-Za-z0-9_-]{43}\n", key)
    again = run(["sh", DEPLOY / "new-secrets", secrets])
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert (secrets / "api_key").read_text(encoding="utf-8") == key
    other = tmp_path / "other"
    subprocess.run(["sh", DEPLOY / "new-secrets", other], check=True, capture_output=True)
    for path in secrets.iterdir():
        assert path.name == ".gitignore" or path.read_bytes() != (other / path.name).read_bytes(), path.name


def test_the_build_installs_only_what_a_lock_pins() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install ([^\\\n]+)", dockerfile)
    assert installs
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options, options
    build, dev = pins(DEPLOY / "build.lock"), pins(ROOT / "requirements" / "dev.lock")
    assert build.items() <= dev.items(), "copy the newer blocks of requirements/dev.lock into deploy/build.lock"
    assert "hatchling" in build


def test_the_image_runs_as_an_unprivileged_user() -> None:
    last_stage = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)", last_stage, re.MULTILINE)
    assert users == ["10001:10001"]
    assert "--uid 10001" in last_stage


def test_everything_copied_exists_and_is_let_into_the_build() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    sources = [s for line in re.findall(r"^COPY (?!--from)(.+)", dockerfile, re.MULTILINE) for s in line.split()[:-1]]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    allowed = {line[1:] for line in ignored if line[0] == "!"}
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == allowed


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_secrets_and_env_files_are_not_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert [name for name in tracked if Path(name).name == ".env" or name.startswith("deploy/secrets/")] == []
