"""The Celery app; its settings are the CELERY_ ones of settings.py."""

import os

# Celery would import it when beat first looks at its schedule. A signal amid that import finds half a module:
# beat's own handler needs it, and what should have been a clean end was a traceback.
import celery.app.amqp  # noqa: F401
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("feed")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
