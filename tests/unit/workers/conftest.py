"""The Celery application, with settings of the tests'."""

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge_workers.app import Application
from weighbridge_workers.app import app as application
from weighbridge_workers.process import Process


@pytest.fixture(scope="session")
def app() -> Application:
    """With all that Celery loads as it starts a worker."""
    environ = {"WEIGHBRIDGE_REDIS_URL": "redis://127.0.0.1:1/0"}
    application.process = Process(load_settings(None, environ, KINDS))
    application.loader.import_default_modules()
    return application
