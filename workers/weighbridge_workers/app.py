"""The Celery application: `python -m celery -A weighbridge_workers.app worker`.

Settings come from where every command finds them: WEIGHBRIDGE_CONFIG, or the usual
places; `weighbridge worker` and `weighbridge scheduler` hand theirs over.
"""

import os

from weighbridge import collector
from weighbridge.config import load_settings
from weighbridge_workers.making import make_app

collector.relax()
app = make_app(load_settings(None, os.environ))
# The processes of a pool are copies of this one.
collector.keep_loaded()
