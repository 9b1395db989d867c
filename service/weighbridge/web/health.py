"""Alive, and able to serve."""

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from weighbridge.errors import WeighbridgeError
from weighbridge.store.schema import check_schema
from weighbridge.store.session import Database
from weighbridge.store.writable import check_writable
from weighbridge.web.answers import json_answer
from weighbridge.web.errors import error_response


class Health:
    """`/healthz` and `/readyz`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def healthz(self) -> Response:
        """The process runs; nothing else is asked, and no thread is needed: those may
        all wait for the database."""
        return PlainTextResponse("ok\n")

    def readyz(self, request: Request) -> Response:
        """200 where the database has the schema that this release knows and takes
        writes, else 503 with the reason. What can be read is served all the same."""
        try:
            check_schema(self._database)
            check_writable(self._database)
        except WeighbridgeError as exc:
            reasons = [{"code": exc.code, "message": exc.message}]
        else:
            return json_answer(request, {"status": "ready", "reasons": []})
        return error_response(
            request, 503, "not_ready", reasons[0]["message"], {"reasons": reasons}
        )
