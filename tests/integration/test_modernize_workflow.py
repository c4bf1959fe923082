"""The workflow on a real Python 2 project: exact outcomes, patches that apply, resumption, files that are too much."""

import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from mutirao.errors import StorageFull
from mutirao.ids import new_id
from mutirao.settings import ModernizeSettings, Settings
from mutirao_agents import JobContext, use_context
from mutirao_agents.context import ArtifactRef
from mutirao_agents.modernize.pool import ConverterPool
from mutirao_agents.modernize.workflow import modernize_graph
from mutirao_agents.testing import FolderFiles, test_context

SHOP = Path(__file__).parents[1] / "fixtures" / "py2" / "shop"
SECRET = "sw0rdfish-2004"


@pytest.fixture
def pool() -> Iterator[ConverterPool]:
    made = ConverterPool()
    yield made
    made.close()


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without the time of packing
    return data.getvalue()


def shop() -> dict[str, bytes]:
    return {p.relative_to(SHOP).as_posix(): p.read_bytes() for p in sorted(SHOP.rglob("*")) if p.is_file()}


def context_of(files: dict[str, bytes], folder: Path, **changes: Any) -> tuple[JobContext, UUID]:
    upload = new_id()
    return test_context(folder=folder, uploads={upload: ("src.zip", packed(files))}, **changes), upload


async def run(context: JobContext, upload: UUID, pool: ConverterPool, **options: Any) -> dict[str, Any]:
    graph = modernize_graph(pool).compile()
    with use_context(context):
        output: dict[str, Any] = await graph.ainvoke({"upload_id": str(upload), **options})
    return output


@pytest.mark.anyio
async def test_the_shop(tmp_path: Path, pool: ConverterPool) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    context, upload = context_of(shop(), tmp_path / "out", events=events)
    output = await run(context, upload, pool)
    assert output["executed"] is False
    assert output["verdicts"] == {"NOT VERIFIED": 9}
    wanted = {"files": 11, "python": 9, "converted": 8, "unchanged": 1, "kept": 0, "compiles": 9, "missing_modules": 2}
    assert {name: output["counts"][name] for name in wanted} == wanted
    out = tmp_path / "out"
    fetch = (out / "converted/shop/fetch.py").read_text()
    assert "except urllib.error.URLError as error:\n        raise FetchError('cannot read ' + url)" in fetch
    names = (out / "converted/shop/nomes.py").read_bytes()
    assert b'["Jo\xe3o", "Concei\xe7\xe3o"]' in names
    windows = (out / "converted/shop/windows.py").read_bytes()
    assert windows.count(b"\r\n") == windows.count(b"\n") == 11
    assert windows.endswith(b'\t\tprint("%s = %d" % (key, value))')
    report = (out / "report.md").read_text()
    assert "**Nothing was executed.**" in report
    assert "integer_division: line 24" in report
    assert "string_exception: line 36" in report
    said = json.dumps(events) + report + (out / "inventory.json").read_text()
    assert SECRET not in said
    assert "`shop/fetch.py` line 12: assigned secret `****`" in report


@pytest.mark.anyio
async def test_patch_and_zip_give_the_same_tree(tmp_path: Path, pool: ConverterPool) -> None:
    files = shop() | {"a b.py": b"print 1", "caf\u00e9.py": b"print 2\n", 'we"ird.py': b"print 3\n"}
    context, upload = context_of(files, tmp_path / "out")
    await run(context, upload, pool)
    with zipfile.ZipFile(tmp_path / "out/converted.zip") as archive:
        converted = {info.filename: archive.read(info) for info in archive.infolist()}
    assert list(converted) == list(files)
    assert converted["data/prices.csv"] == files["data/prices.csv"]
    for tool in (["git", "apply", "../out/changes.diff"], ["patch", "-s", "-p1", "-i", "../out/changes.diff"]):
        tree = tmp_path / tool[0]
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        subprocess.run(
            tool, cwd=tree, check=True, env={"GIT_CEILING_DIRECTORIES": str(tmp_path), "PATH": "/usr/bin:/bin"}
        )
        assert {name: (tree / name).read_bytes() for name in files} == converted


@pytest.mark.anyio
async def test_the_same_input_gives_the_same_bytes(tmp_path: Path, pool: ConverterPool) -> None:
    made = []
    for folder in ("one", "two"):
        context, upload = context_of(shop(), tmp_path / folder)
        output = await run(context, upload, pool)
        made.append({name: (tmp_path / folder / name).read_bytes() for name in output["artifacts"]})
    assert made[0] == made[1]


@pytest.mark.anyio
async def test_files_that_are_too_much_or_wrong_do_not_stop_the_job(tmp_path: Path, pool: ConverterPool) -> None:
    files = {
        "hang.py": b"x = f" + b"(1)" * 1500 + b"\nprint x\n",
        "deep.py": b"x = " + b"(" * 3000 + b"1" + b")" * 3000 + b"\n",
        "broken.py": b"def f(:\n",
        "bytes.py": b"x = '\xe9'\n",
        "empty.py": b"",
        "good.py": b"print 1\n",
    }
    settings = Settings(modernize=ModernizeSettings(convert_seconds=2))
    context, upload = context_of(files, tmp_path, settings=settings)
    output = await run(context, upload, pool)
    assert (output["counts"]["converted"], output["counts"]["kept"], output["counts"]["unchanged"]) == (1, 4, 1)
    report = (tmp_path / "report.md").read_text()
    for said in ("took more than 2 s", "nested too deeply", "line 1: unexpected", "0xe9 in line 1 is not UTF-8"):
        assert said in report
    with zipfile.ZipFile(tmp_path / "converted.zip") as archive:
        assert archive.read("hang.py") == files["hang.py"]


class FailingFiles(FolderFiles):
    """A store that is full after some files."""

    def __init__(self, folder: Path, uploads: dict[UUID, tuple[str, bytes]], room: int) -> None:
        super().__init__(folder, uploads)
        self.room = room
        self.puts: list[str] = []

    async def put(self, name: str, data: bytes, media_type: str) -> ArtifactRef:
        """Store while there is room."""
        if name.startswith("converted/"):
            if self.room == 0:
                raise StorageFull("the artifact store is full; free space and retry the job")
            self.room -= 1
            self.puts.append(name)
        return await super().put(name, data, media_type)


# LangGraph leaves the tasks it had not begun unawaited when one of a bounded map fails.
@pytest.mark.filterwarnings("ignore:coroutine 'arun_with_retry'", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.anyio
async def test_a_resumed_job_does_not_convert_finished_files_again(tmp_path: Path, pool: ConverterPool) -> None:
    upload = new_id()
    sources = {f"f{n:02}.py": b"print %d\n" % n for n in range(12)}
    files = FailingFiles(tmp_path, {upload: ("src.zip", packed(sources))}, room=5)
    graph = modernize_graph(pool).compile(checkpointer=InMemorySaver()).with_config(max_concurrency=1)
    config: Any = {"configurable": {"thread_id": "t"}}
    with use_context(test_context(files=files)):
        with pytest.raises(StorageFull):
            await graph.ainvoke({"upload_id": str(upload)}, config, durability="sync")
        assert len(files.puts) == 5
        files.room = 100
        output = await graph.ainvoke(None, config, durability="sync")
    assert output["counts"]["converted"] == 12
    assert sorted(files.puts) == sorted(f"converted/{name}" for name in sources)


@pytest.mark.anyio
async def test_three_hundred_files(tmp_path: Path, pool: ConverterPool) -> None:
    context, upload = context_of({f"d{n % 7}/f{n}.py": b"print %d\n" % n for n in range(300)}, tmp_path)
    output = await run(context, upload, pool)
    assert output["counts"]["converted"] == 300
    assert output["counts"]["compiles"] == 300


@pytest.mark.anyio
async def test_excluded_files_and_skipped_rules(tmp_path: Path, pool: ConverterPool) -> None:
    context, upload = context_of({"a.py": b"print 1\n", "vendor/b.py": b"print 2\n"}, tmp_path)
    output = await run(context, upload, pool, exclude=["vendor/*"], skip_fixers=["print"])
    assert output["counts"] | {"excluded": 1, "unchanged": 1, "does_not_compile": 1, "to_review": 1} == output["counts"]
