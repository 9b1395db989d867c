"""What tags and repositories store, and what deleting tags would free, as JSON."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.presentation.rows.reclaim_rows import reclaim_row
from weighbridge.presentation.rows.storage_rows import storage_row
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    OneRegistry,
    ProjectPath,
    Ref,
    StoredTagNames,
    TagNames,
)


class ReclaimRoutes(Handlers):
    """One method a route. Nothing is ever deleted."""

    def reclaim(self, request: Request, ref: Ref, tag: TagNames = ()) -> Response:
        """What the registry's garbage collection frees once these tags are deleted, or
        those that the rules of `reclaim` do not keep. Nothing is deleted."""
        report = self._finder.reclaim(ref, tag, self._clock())
        return json_answer(request, asdict(reclaim_row(report)))

    def storage(self, request: Request, ref: Ref, tag: StoredTagNames = ()) -> Response:
        """What a repository, or these tags of it, stores, by class, and what of it
        nothing else refers to."""
        split = self._finder.storage(ref, tag)
        return json_answer(request, asdict(storage_row(split)))

    def project_storage(
        self, request: Request, registry: OneRegistry, project: ProjectPath = ""
    ) -> Response:
        """What the repositories below a path store together, or all of a registry."""
        split = self._finder.project_storage(registry, project)
        return json_answer(request, asdict(storage_row(split)))
