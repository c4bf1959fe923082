"""The Celery application: JSON only, no result backend; a message is a hint and acknowledged early."""

from celery import Celery
from kombu import Exchange, Queue
from mutirao.hints import broker_options
from mutirao.settings import Settings


def create_celery(settings: Settings, own_queue: str) -> Celery:
    """Celery for the queues this worker serves, and for `own_queue`, where its probes come back."""
    assert settings.stack.redis_url is not None
    app = Celery("mutirao", broker=settings.stack.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        # No acknowledgement: a hint that is lost with its worker costs one poll, and two round trips less each.
        task_queues=[
            Queue(name, Exchange(name, type="direct"), routing_key=name, no_ack=True)
            for name in (*queues(settings), own_queue)
        ],
        broker_transport_options=broker_options(),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_prefetch_multiplier=64,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def queues(settings: Settings) -> list[str]:
    """Names of the queues this worker serves."""
    return [name.strip() for name in settings.worker.queues.split(",") if name.strip()]
