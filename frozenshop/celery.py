"""The Celery application. Only the relay and the worker talk to the broker (beat, if a person schedules a task)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")
TRANSPORT_ALIASES["filesystem"] = "frozenshop.kernel.file_broker:Transport"


@setup_logging.connect
def keep_djangos_logging(**kwargs: Any) -> None:
    """A receiver of this signal stops Celery from replacing the LOGGING of the settings."""


app = Celery("frozenshop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
