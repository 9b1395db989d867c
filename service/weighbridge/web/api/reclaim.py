"""What deleting tags would free, as JSON."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.presentation.rows.reclaim_rows import reclaim_row
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import Ref, TagNames


class ReclaimRoutes(Handlers):
    """One method a route. Nothing is ever deleted."""

    def reclaim(self, request: Request, ref: Ref, tag: TagNames = ()) -> Response:
        """What the registry's garbage collection frees once these tags are deleted, or
        those that the rules of `reclaim` do not keep. Nothing is deleted."""
        report = self._finder.reclaim(ref, tag, self._clock())
        return json_answer(request, asdict(reclaim_row(report)))
