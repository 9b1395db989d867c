"""Makes the Celery application of some settings."""

from celery import Celery

from weighbridge.config import Settings
from weighbridge.errors import UsageError
from weighbridge_workers.configuration import configuration
from weighbridge_workers.overrides import AskedControl, QuickAMQP, ShortEvents
from weighbridge_workers.process import Process
from weighbridge_workers.signals import connect
from weighbridge_workers.tasks import register


def make_app(settings: Settings) -> Celery:
    """An application with all tasks. Raises UsageError(no_redis)."""
    if settings.redis_url is None:
        raise UsageError(
            "workers need a Redis: redis_url is not set",
            code="no_redis",
            hint="set redis_url, or run everything in one process: weighbridge up",
        )
    app = Celery(
        "weighbridge",
        broker=settings.redis_url.reveal(),
        amqp=QuickAMQP,
        control=AskedControl,
        events=ShortEvents,
        fixups=[],
    )
    app.conf.update(configuration(settings.redis_url))
    process = Process(settings, settings.redis_url)
    register(app, process)
    connect(settings, settings.redis_url, process)
    return app
