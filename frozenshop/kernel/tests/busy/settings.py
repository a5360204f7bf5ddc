"""The program's own settings, and one more app with migrations."""

from frozenshop.settings import *  # noqa: F403
from frozenshop.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "frozenshop.kernel.tests.busy"]
