"""The settings of a version with a planted fault."""

from deploy.release import faults
from frozenshop.settings import *  # noqa: F403
from frozenshop.settings import INSTALLED_APPS, MIDDLEWARE

faults.crash()
# Inside of what counts, outside of what answers.
_place = MIDDLEWARE.index("frozenshop.kernel.metrics.MetricsMiddleware") + 1
MIDDLEWARE = [*MIDDLEWARE[:_place], "deploy.release.faults.FaultMiddleware", *MIDDLEWARE[_place:]]
INSTALLED_APPS = [*INSTALLED_APPS, "deploy.release.faulty_app.FaultyConfig"]
