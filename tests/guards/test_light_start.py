"""`mutirao --help` answers at once: what is heavy is imported by the command that needs it."""

import json
import subprocess
import sys

HEAVY = {
    "alembic", "celery", "chromadb", "docx", "fastapi", "kombu", "langchain", "langchain_core", "langgraph", "numpy",
    "psycopg", "sqlalchemy", "starlette", "trafilatura", "uvicorn",
}  # fmt: skip

HELP = """
import json, sys
from mutirao.cli import main
sys.argv = ["mutirao", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def loaded_by(code: str) -> set[str]:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return {name.partition(".")[0] for name in json.loads(ran.stderr)}


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(HELP) & HEAVY == set()


def test_the_settings_load_nothing_heavy() -> None:
    code = "import json, sys, mutirao.settings; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    assert loaded_by(code) & HEAVY == set()


def test_the_main_process_of_a_worker_loads_no_user_code_and_what_that_needs() -> None:
    code = "import json, sys, mutirao_workers.__main__; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    loaded = loaded_by(code) & {
        "chromadb",
        "docx",
        "langchain",
        "langchain_core",
        "langgraph",
        "mutirao_agents",
        "numpy",
    }
    assert loaded == set()
