"""System checks of the outbox's times."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_times(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A message must not be sent again while its task may still be running."""
    if settings.OUTBOX_RESEND_SECONDS > settings.CELERY_TASK_TIME_LIMIT:
        return []
    return [
        Error(
            f"设置 OUTBOX_RESEND_SECONDS（{settings.OUTBOX_RESEND_SECONDS:g}）必须大于任务时限"
            f"（{settings.CELERY_TASK_TIME_LIMIT} 秒），否则仍在运行的任务会被重发。",
            hint="例如 OUTBOX_RESEND_SECONDS=600",
            id="frozenshop.E020",
        )
    ]
