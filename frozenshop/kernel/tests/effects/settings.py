"""The settings of the processes under test: the kernel and this app alone."""

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [
    "frozenshop.kernel",
    "frozenshop.kernel.tests.effects.apps.EffectsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_celery_beat",
]
ROOT_URLCONF = "frozenshop.kernel.tests.effects"
MIDDLEWARE: list[str] = []
CELERY_TASK_TIME_LIMIT, CELERY_TASK_SOFT_TIME_LIMIT = 3, 2
