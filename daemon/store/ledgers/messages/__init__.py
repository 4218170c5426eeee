"""Mail messages that are done, and which mailbox each mail source stands for."""

from __future__ import annotations

from daemon.store.sql import read_statements

SQL = read_statements(__name__)
