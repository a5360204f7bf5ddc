"""JSON logs on standard error, one line each, with the request's id and without personal data or secrets."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from frozenshop.kernel import request_id
from frozenshop.kernel.scrubbing import scrub, scrub_value

# In an address that leads nowhere: a name, for all we know.
_UNREADABLE = re.compile(r"[^\x00-\x7f]+")


def _add_request_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if current := request_id.current():
        event.setdefault("request_id", current)
    return event


def _scrub(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: value if name.startswith("_") else scrub_value(name, value) for name, value in event.items()}


class RouteForPath(logging.Filter):
    """Django logs a refused request with its path, which may be a secret: put the route's template there."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            template = f"/{match.route}" if match else _UNREADABLE.sub("…", scrub(path))
            # Django writes what is not ASCII as escapes before it logs.
            escaped = path.encode("unicode_escape").decode("ascii")
            record.args = tuple(
                arg.replace(path, template).replace(escaped, template) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


class StandardError(logging.Handler):
    """Write to what is standard error at that moment, which a process (or a test) may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_request_id,
]


def configure(level: str) -> dict[str, Any]:
    """Set structlog up and return Django's `LOGGING`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"route_for_path": {"()": RouteForPath}},
        "formatters": {
            "json": {
                "()": "structlog.stdlib.ProcessorFormatter",
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    _scrub,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {
            "stderr": {
                "class": "frozenshop.kernel.logging.StandardError",
                "formatter": "json",
                "filters": ["route_for_path"],
            },
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in ("frozenshop", "orders", "logistics", "notifications")},
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "celery": {"level": level},
            "kombu": {"level": "ERROR"},
        },
    }
