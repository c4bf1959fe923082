"""Logs: one JSON object a line, or plain lines for a person at a terminal."""

import logging
import sys
from typing import Any, cast

import structlog


def configure_logs(*, level: int = logging.INFO) -> None:
    """Set up logging of this process, once, at its start. Goes to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(default=str)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def logger(area: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines say which area of Mutirão they come from; events are named `area.what_happened`."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(area=area))
