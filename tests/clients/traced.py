"""Counts what psycopg sends, below whatever mapper stands on it: by libpq's own trace of messages."""

import re
import tempfile

import psycopg
from psycopg.pq import Trace

_trace = tempfile.TemporaryFile()
_connect = psycopg.connect


def connect(*arguments, **options):
    connection = _connect(*arguments, **options)
    connection.pgconn.trace(_trace.fileno())
    connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
    return connection


def sent():
    """Executions asked for so far. libpq writes it a line at a time."""
    _trace.seek(0)
    return len(re.findall(rb"^F\t\d+\t(?:Query|Execute)\t", _trace.read(), re.MULTILINE))


# Mappers call it by this name.
psycopg.connect = connect
