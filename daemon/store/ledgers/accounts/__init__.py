"""Mail accounts that were made by API."""

from __future__ import annotations

from daemon.store.sql import read_statements

SQL = read_statements(__name__)
