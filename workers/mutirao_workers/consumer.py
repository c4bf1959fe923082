"""A worker's main thread: Celery's consumer, which passes hints on, and what starts and ends with it."""

import signal
import sys
import warnings
from types import FrameType
from typing import Any, NoReturn

from celery import bootsteps
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from mutirao.errors import MutiraoError, SettingsInvalid
from mutirao.ids import new_id
from mutirao.logs import configure_logs
from mutirao.settings import Settings, load_settings

from mutirao_workers.app import create_celery
from mutirao_workers.broker_watch import BrokerWatch, probe_queue
from mutirao_workers.host import WorkerHost
from mutirao_workers.nursery import Nursery
from mutirao_workers.parts import worker_name
from mutirao_workers.tasks import register_tasks


class NoAcknowledgements(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Our queues are consumed without acknowledgements, and yet Celery would send the broker one for each message."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """After each connect."""
        parent.task_consumer.channel.basic_ack = _nothing


def _nothing(*_: Any, **__: Any) -> None:
    pass


def run(nursery: Nursery) -> int:
    """Run until SIGTERM or SIGINT; steps may end, then jobs are handed back. The exit code."""
    configure_logs()
    # Celery warns of pickled messages when it runs as root; ours are JSON, and hold nothing but a job's id.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        try:
            settings = _checked(load_settings())
        except MutiraoError:
            nursery.abandon()
            raise
        host = WorkerHost(settings, nursery)
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
    name = worker_name(settings)
    app = create_celery(settings, probe_queue(name))
    assert settings.stack.redis_url is not None
    watch = BrokerWatch(
        settings.stack.redis_url.get_secret_value(), name, new_id(), settings.worker.probe_seconds, host.give_up
    )
    app.steps["consumer"].add(NoAcknowledgements)
    register_tasks(app, lambda job: watch.heard() if job == watch.token else host.hint(job))
    worker = Worker(
        app=app,
        hostname=f"{name}@%h",
        pool="solo",
        concurrency=1,
        quiet=True,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        optimization="fair",
    )
    watch.start()
    try:
        worker.start()
    finally:
        watch.stop()
    return 1 if host.failure else int(worker.exitcode or 0)
