"""The WSGI application that the web server loads."""

import gc
import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from frozenshop.kernel.checks import refuse_unusable_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")
DATABASE_SECONDS = 15
"""No query of web takes so long: a database that hangs holds a thread no longer. Jobs and migrations have no limit."""

try:
    application = get_wsgi_application()
except ImproperlyConfigured as error:
    sys.exit(str(error))
refuse_unusable_settings()
if not settings.EMBEDDED:
    options = settings.DATABASES["default"]["OPTIONS"]
    options |= {"read_timeout": DATABASE_SECONDS, "write_timeout": DATABASE_SECONDS}

# What stands after the start stands for good: the collector needn't look at it again with every few requests.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
