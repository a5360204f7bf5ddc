"""The WSGI application that the web server loads."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from frozenshop.kernel.checks import refuse_unusable_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")

application = get_wsgi_application()
refuse_unusable_keys()

# What stands after the start stands for good: the collector needn't look at it again with every few requests.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
