"""Settings, URLs, servers and the Celery app: what puts the packages together."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
