"""What errors are taken for: facts before text, causes before wrappers, nothing guessed."""

from __future__ import annotations

import errno
import gzip
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.taxonomy import Category
from daemon.triage import Assessment, Triage, describe
from daemon.triage.rules.rule import Rule

TRIAGE = Triage.load()


def assess(error: BaseException | str, **facts: object) -> Assessment:
    return TRIAGE.assess(describe(error, **facts), pipeline="ingest", step="processing")


def caught(action: Callable[[], object]) -> BaseException:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.requirement("F4")
@pytest.mark.parametrize(
    ("error_class", "category", "retryable"),
    [
        ("CAST", "schema_mismatch", False),
        ("MISSING COLUMNS", "data_malformed", False),
        ("TOO MANY COLUMNS", "data_malformed", False),
        ("UNQUOTED VALUE", "data_malformed", False),
        ("LINE SIZE OVER MAXIMUM", "data_malformed", False),
        ("INVALID ENCODING", "data_malformed", False),
        ("JSON_SYNTAX", "data_malformed", False),
        ("JSON_TYPE", "schema_mismatch", False),
        ("JSON_NOT_OBJECT", "data_malformed", False),
        ("MISSING_COLUMN", "schema_mismatch", False),
        ("COLUMN_TYPE", "schema_mismatch", False),
        ("EMPTY_FILE", "data_malformed", False),
        ("ENCODING", "data_malformed", False),
        ("COMPRESSION", "data_malformed", False),
        ("NOT_PARQUET", "data_malformed", False),
        ("NULL_VALUE", "validation", False),
        ("FILE_VANISHED", "account_not_found", False),
        ("FILE_CHANGED", "data_malformed", True),
        ("WAREHOUSE_LOCKED", "service_unavailable", True),
        ("NOT_READABLE", "permission", False),
        ("FOLDER_UNREADABLE", "permission", False),
        ("NO_NEW_FILE", "account_not_found", False),
        ("TABLE_REBUILT", "configuration", False),
        ("LOADED_TWICE", "configuration", False),
        ("OTHER_FOLDER", "configuration", False),
    ],
)
def test_each_error_class_of_the_engine_is_known(
    error_class: str, category: str, retryable: bool
) -> None:
    # The text points elsewhere on purpose: the fact decides.
    found = assess("connection refused: rate limit", error_class=error_class)
    assert (found.category, found.retryable) == (category, retryable)


OWN_CODE: list[tuple[BaseException, str, bool]] = [
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), "account_not_found", False),
    (PermissionError(errno.EACCES, "Permission denied", "a"), "permission", False),
    (PermissionError("could not write report"), "permission", False),
    (OSError(errno.ENOSPC, "No space left on device"), "write_failure", False),
    (OSError(errno.EROFS, "Read-only file system"), "write_failure", False),
    (OSError(errno.EMFILE, "Too many open files"), "resource", True),
    (MemoryError(), "resource", False),
    (ModuleNotFoundError("No module named 'x'"), "configuration", False),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection", True),
    (TimeoutError(), "connection", True),
    (ssl.SSLCertVerificationError(1, "certificate verify failed"), "connection", False),
    (socket.gaierror(-2, "Name or service not known"), "connection", False),
    (socket.gaierror(-3, "Temporary failure in name resolution"), "connection", True),
    (ConnectionError("gone"), "connection", True),
    (ConnectionError("('aborted', OSError(24, 'Too many open files'))"), "resource", True),
    (caught(lambda: json.loads("{")), "data_malformed", False),
    (caught(b"\xff".decode), "data_malformed", False),
    (caught(lambda: gzip.decompress(b"plain text")), "data_malformed", False),
    (KeyError("amount"), "unknown", False),
]


@pytest.mark.parametrize(("error", "category", "retryable"), OWN_CODE, ids=repr)
def test_what_ordinary_python_functions_raise_is_known(
    error: BaseException, category: str, retryable: bool
) -> None:
    found = assess(error)
    assert (found.category, found.retryable) == (category, retryable)


@pytest.mark.parametrize(
    ("statement", "category"),
    [
        ("select cast('x' as int)", "schema_mismatch"),
        ("from 'none.csv'", "account_not_found"),
        ("from no_such_table", "account_not_found"),
        ("create table t (a int not null); insert into t values (null)", "validation"),
        ("create table t (a int primary key); insert into t values (1), (1)", "validation"),
        ("create table t (a int); insert into t values (1, 2)", "schema_mismatch"),
        ("set memory_limit = '5MB'; from range(100000000) t(a) order by a", "resource"),
        ("selec 1", "configuration"),
    ],
)
def test_what_duckdb_raises_is_known(statement: str, category: str) -> None:
    assert assess(caught(lambda: duckdb.connect().execute(statement))).category == category


def test_damaged_files_are_known_by_what_duckdb_says_of_them(tmp_path: Path) -> None:
    files = {
        "bad.parquet": b"not parquet at all, but long enough",
        "bad.csv.gz": gzip.compress(b"a,b\n1,2\n")[:15],
        "bad.jsonl": b'{"a": 1}\n{"a":\n',
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        path = str(tmp_path / name)
        error = caught(lambda path=path: duckdb.connect().execute(f"from '{path}'").fetchall())
        assert assess(error).category == "data_malformed", name


@pytest.mark.requirement("F4")
def test_facts_decide_before_text() -> None:
    assert assess("invalid password", http_status=429).category == "rate_limit"
    assert assess("invalid password", sqlstate="23505").category == "validation"
    assert assess("rate limit exceeded", errno=errno.ECONNRESET).category == "connection"


def test_a_status_that_says_little_lets_the_text_decide() -> None:
    assert assess("the provided token has expired", http_status=400).category == "authentication"
    assert assess("no", http_status=400).category == "rejected"


def test_the_longest_sqlstate_wins() -> None:
    assert assess("x", sqlstate="53300").category == "rate_limit"
    assert assess("x", sqlstate="53400").category == "resource"
    assert assess("x", sqlstate="57P03").category == "service_unavailable"


def test_the_cause_behind_a_wrapper_that_says_nothing_is_found() -> None:
    def ask() -> None:
        raise ValueError("quota exceeded for this project")

    def wrapped() -> None:
        try:
            ask()
        except ValueError as error:
            raise RuntimeError("the nightly job did not finish") from error

    assert assess(caught(wrapped)).category == "rate_limit"


@pytest.mark.requirement("F4")
@pytest.mark.parametrize("message", ["", " \n\t"])
def test_an_empty_message_gets_unknown_and_advice(message: str) -> None:
    found = assess(message)
    assert (found.category, found.rule, found.retryable) == ("unknown", "unmatched", False)
    assert found.suggested_action


def test_what_no_rule_knows_is_called_unmatched() -> None:
    found = assess("the frobnicator is sad")
    assert (found.category, found.rule) == ("unknown", "unmatched")


def test_a_rule_matches_when_each_kind_is_met_and_only_in_its_pipelines() -> None:
    rule = Rule(
        name="both",
        category=Category.REJECTED,
        user_message="m",
        suggested_action="a",
        http_status=(418,),
        patterns=("teapot", "kettle"),
        pipelines=("mail",),
    )
    triage = Triage([rule])
    teapot = describe("a Teapot", http_status=418)
    assert triage.classify(teapot, "mail").name == "both"
    assert triage.classify(teapot, "ingest").name == "unmatched"
    assert triage.classify(describe("a teapot"), "mail").name == "unmatched"
    assert triage.classify(describe("x", http_status=418), "mail").name == "unmatched"


def test_no_rules_at_all_match_nothing() -> None:
    assert Triage([]).classify(describe("anything"), "x").name == "unmatched"


def test_a_phrase_is_found_across_a_line_break() -> None:
    wrapped = "delivery failed: No space\n    left on\r\n device"
    assert assess(wrapped).rule == assess("No space left on device").rule


@given(st.text())
def test_any_text_gets_an_assessment(text: str) -> None:
    found = assess(text)
    assert found.user_message
    assert found.suggested_action


@pytest.mark.parametrize(
    ("status", "message", "category"),
    [
        (403, "Forbidden", "permission"),
        (403, "Quota exceeded for this project", "rate_limit"),
        (403, "The API has not been used in project 1 or it is disabled", "configuration"),
        (503, "Please reduce your request rate", "rate_limit"),
        (501, "no such method here", "rejected"),
        (507, "nothing fits any more", "rate_limit"),
    ],
)
def test_what_an_answer_says_counts_before_its_bare_status(
    status: int, message: str, category: str
) -> None:
    assert assess(message, http_status=status).category == category


@pytest.mark.parametrize("pipeline", ["mail", "upload", "ingest", "image", "own"])
@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("flux: tenant quota hit", "rate_limit"),
        ("flux: this needs a privilege", "permission"),
        ("flux: packet 7 is garbled", "data_malformed"),
        ("flux: the plugin is not installed", "configuration"),
        ("flux: no answer from the gateway", "connection"),
        ("flux: mirror 4 does not exist", "account_not_found"),
        ("flux: the gauge is still warming up", "service_unavailable"),
        ("flux: an unexpected problem", "unknown"),
    ],
)
def test_clear_words_of_a_cause_are_enough_for_an_unknown_program(
    pipeline: str, message: str, category: str
) -> None:
    assert TRIAGE.classify(describe(message), pipeline).category == category
