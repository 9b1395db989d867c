"""What tags and repositories store, and what deleting tags would free, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.presentation.rows.reclaim_rows import reclaim_row
from weighbridge.presentation.rows.storage_rows import storage_row
from weighbridge.store.reports.nearest import nearest_repositories
from weighbridge.store.reports.reclaim import (
    reclaim_by_rules,
    reclaim_tags,
    unknown_tags,
)
from weighbridge.store.reports.sharing import (
    split_of_project,
    split_of_repository,
    split_of_tags,
)
from weighbridge.store.session import Connection
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    OneRegistry,
    ProjectPath,
    Ref,
    StoredTagNames,
    TagNames,
)
from weighbridge.web.request.unknown_names import check_names, no_repository, no_tag

RECLAIM_TAGS: Final = 20_000
"""The rules are held against so many tags of a repository while somebody waits."""


class ReclaimRoutes(Handlers):
    """One method a route. Nothing is ever deleted."""

    def reclaim(self, request: Request, ref: Ref, tag: TagNames = ()) -> Response:
        """What the registry's garbage collection frees once these tags are deleted, or
        those that the rules of `reclaim` do not keep. Nothing is deleted."""
        now = self._clock()
        with self._database.read() as connection:
            report = self._named(request, connection, ref, tag)
            if tag:
                found = reclaim_tags(
                    connection, report, tag, now, leaves_tags_out=self._in_part(report)
                )
            else:
                found = reclaim_by_rules(
                    connection,
                    report,
                    self._finder.reclaim.rules,
                    now,
                    leaves_tags_out=self._in_part(report),
                    most_tags=RECLAIM_TAGS,
                )
        return json_answer(request, asdict(reclaim_row(found)))

    def storage(self, request: Request, ref: Ref, tag: StoredTagNames = ()) -> Response:
        """What a repository, or these tags of it, stores, by class, and what of it
        nothing else refers to."""
        with self._database.read() as connection:
            report = self._named(request, connection, ref, tag)
            in_part = self._in_part(report)
            if tag:
                split = split_of_tags(connection, report, tag, leaves_tags_out=in_part)
            else:
                split = split_of_repository(connection, report, leaves_tags_out=in_part)
        return json_answer(request, asdict(storage_row(split)))

    def project_storage(
        self, request: Request, registry: OneRegistry, project: ProjectPath = ""
    ) -> Response:
        """What the repositories below a path store together, or all of a registry."""
        with self._database.read() as connection:
            check_names(connection, registry)
            in_part = registry in self._finder.reclaim.in_part
            split = split_of_project(
                connection, registry, project, leaves_tags_out=in_part
            )
            if not split.repositories and split.reason is None:
                near = nearest_repositories(connection, registry, project)
                raise no_repository(registry, project, near=near)
        return json_answer(request, asdict(storage_row(split)))

    def _named(
        self, request: Request, connection: Connection, ref: str, names: Sequence[str]
    ) -> RepositoryReport:
        """The repository, which has these tags."""
        report = self.finder(request).named(connection, ref)
        if unknown := unknown_tags(connection, report, names):
            raise no_tag(connection, report, unknown)
        return report

    def _in_part(self, report: RepositoryReport) -> bool:
        return report.registry in self._finder.reclaim.in_part
