"""What a blob counts: the registry's word beats every claim, in its storage scope; a
claim counts for its own manifest alone."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from support.answering import answer
from support.brute_force import counted, stored
from support.images import a_artifact_named, a_digest, a_layer, an_image, an_index_of
from support.ledger_world import Fleet
from support.store_world import World
from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Measured, Uncompressed
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.manifest_sizes import Swept
from weighbridge.store.models import (
    repositories,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.session import Database
from weighbridge.store.summaries import refresh_if_stale
