"""Lines for whoever watches a keeper: text for people, JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("ballast.keeper")
FORMATS = ("text", "json")


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC, ISO 8601), level and message."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(
                    timespec="milliseconds"
                ),
                "level": record.levelname.lower(),
                "message": record.getMessage(),
            },
            ensure_ascii=False,
        )


class TextFormatter(logging.Formatter):
    """The time of day (UTC) and the message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment:%H:%M:%S} {record.getMessage()}"


def open_log(form: str) -> logging.Logger:
    """The keeper's logger, to standard output, each line at once."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    return LOGGER
