"""The WSGI application that the web server loads."""

import os

from django.core.wsgi import get_wsgi_application

from frozenshop.kernel.checks import refuse_unusable_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")

application = get_wsgi_application()
refuse_unusable_keys()
