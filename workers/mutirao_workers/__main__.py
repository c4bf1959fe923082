"""`python -m mutirao_workers`: run a worker.

Environment first: LangGraph reads LANGGRAPH_STRICT_MSGPACK when it is imported, and nothing may call out by itself.
"""

import os
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import NoReturn

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ.setdefault("LANGSMITH_TRACING", "false")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")

from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from mutirao.errors import MutiraoError, SettingsInvalid
from mutirao.logs import configure_logs, logger
from mutirao.settings import Settings, load_settings
from mutirao_agents.discovery import discover

from mutirao_workers.app import create_celery
from mutirao_workers.host import WorkerHost
from mutirao_workers.tasks import register_tasks


def main() -> int:
    """Run until SIGTERM or SIGINT; steps may end, then jobs are handed back."""
    configure_logs()
    # Celery warns of pickled messages when it runs as root; ours are JSON, and hold nothing but a job's id.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        settings = _checked(load_settings())
        host = WorkerHost(settings, discover(Path.cwd()))
        for error in host.found.errors:
            logger("worker").error("worker.load_error", source=error.source, error=error.message)
        # Until Celery's own handler stands: a job may run before that, and must be handed back.
        signal.signal(signal.SIGTERM, _leave)
        try:
            host.start()
            return _consume(settings, host)
        finally:
            host.stop()
    except MutiraoError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)  # noqa: T201 (the process ends with it)
        return 1


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _checked(settings: Settings) -> Settings:
    if settings.stack.database_url is None or settings.stack.redis_url is None:
        raise SettingsInvalid(
            "MUTIRAO_DATABASE_URL and MUTIRAO_REDIS_URL must be set to start a worker alone; "
            "`mutirao up` starts everything and sets them"
        )
    return settings


def _consume(settings: Settings, host: WorkerHost) -> int:
    """Celery's consumer in this thread: it only passes hints on, so its pool is `solo`."""
    app = create_celery(settings)
    register_tasks(app, host.hint)
    worker = Worker(
        app=app,
        hostname=f"{settings.worker.worker_name or 'worker'}@%h",
        pool="solo",
        concurrency=1,
        quiet=True,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        optimization="fair",
    )
    worker.start()
    return 1 if host.failure else int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
