"""The Celery application. Only the relay and the worker talk to the broker (beat, if a person schedules a task)."""

import functools
import gc
import os
import sys
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    import_modules,
    setup_logging,
    task_unknown,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")
TRANSPORT_ALIASES["filesystem"] = "frozenshop.kernel.file_broker:Transport"


@setup_logging.connect
def keep_djangos_logging(**kwargs: Any) -> None:
    """A receiver of this signal stops Celery from replacing the LOGGING of the settings."""


@worker_init.connect
@worker_process_init.connect
def leave_alone_what_stands(**kwargs: Any) -> None:
    """What stands after the start stands for good: the collector needn't look at it again with every few tasks."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


app = Celery("frozenshop")


@app.on_configure.connect
def stop_without_settings(**kwargs: Any) -> None:
    """Say in one line what is wrong with them, where Celery would show where in the code it was found."""
    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    except ImproperlyConfigured as error:
        sys.exit(str(error))


@import_modules.connect
def stop_with_unusable_settings(**kwargs: Any) -> None:
    """The first that worker and beat do, when Django has been set up."""
    from frozenshop.kernel.checks import refuse_unusable_settings

    refuse_unusable_settings()


app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_shutdown.connect
def write_the_logs(**kwargs: Any) -> None:
    """A process of the pool ends without what else is done at an end."""
    from frozenshop.kernel.logstore import writer

    writer.end()


@worker_ready.connect
def show_life(sender: Any, **kwargs: Any) -> None:
    """Once, though the signal comes with each connection to the broker."""
    from frozenshop.kernel.metrics import work

    work.SLOTS.set(sender.controller.concurrency)
    _begin_to_show()


@task_unknown.connect
def leave_to_a_worker_that_knows_it(message: Any, **kwargs: Any) -> None:
    """Celery drops what it has no task for; its row would only be sent again after ten minutes."""
    from frozenshop.kernel.outbox import consuming

    message_id = message.payload[1].get("message_id")
    if isinstance(message_id, int):
        consuming.leave_to_others(message_id)


@functools.cache
def _begin_to_show() -> None:
    """In threads: while the broker is gone the worker waits for it, and a restart would not help."""
    from frozenshop.kernel import liveness, metrics

    liveness.keep_showing("worker")
    metrics.serve()


@beat_init.connect
def show_metrics_of_beat(**kwargs: Any) -> None:
    from frozenshop.kernel import metrics

    metrics.serve()
