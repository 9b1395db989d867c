"""The API's route that says how it stands with messages."""

from fastapi import Request
from starlette.responses import Response

from weighbridge.presentation.rows.channel_rows import channels_json
from weighbridge.store.reports.notifications import channel_reports
from weighbridge.store.session import Database
from weighbridge.web.request.answers import json_answer


class Notifications:
    """Reads one state of the database a request."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def notifications(self, request: Request) -> Response:
        """What waits for each channel, since when one fails, what was given up."""
        with self._database.read() as connection:
            found = channel_reports(connection)
        return json_answer(request, channels_json(found))
