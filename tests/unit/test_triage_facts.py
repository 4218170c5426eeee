"""Facts of errors: whatever exceptions carry is found, whatever they do is survived."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import subprocess
import sys
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.triage import describe


def raised(action) -> BaseException:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def test_builtin_types_are_named_without_their_module() -> None:
    info = describe(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"))
    assert info.exception_type == "FileNotFoundError"
    assert info.exception_bases == ("OSError",)
    assert info.errno == errno.ENOENT


def test_library_types_are_qualified() -> None:
    assert (
        describe(raised(lambda: json.loads("{"))).exception_type == "json.decoder.JSONDecodeError"
    )
    error = raised(lambda: duckdb.connect().execute("select cast('x' as int)"))
    assert describe(error).exception_type == "duckdb.ConversionException"


def test_the_traceback_is_kept_for_the_log() -> None:
    info = describe(raised(lambda: json.loads("{")))
    assert info.text.startswith("Traceback")
    assert "json.loads" in info.text
    assert describe(ValueError("never raised")).text == ""


def test_structured_facts_of_the_cause_are_found_behind_a_wrapper() -> None:
    def wrapped() -> None:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        except OSError as error:
            raise RuntimeError("the sync failed") from error

    info = describe(raised(wrapped))
    assert info.exception_type == "RuntimeError"
    assert info.errno == errno.ECONNREFUSED


def test_a_suppressed_context_says_nothing() -> None:
    def wrapped() -> None:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        except OSError:
            raise RuntimeError("unrelated") from None

    assert describe(raised(wrapped)).errno is None


@pytest.mark.parametrize("error", [socket.gaierror(-2, "x"), ssl.SSLError(1, "x")])
def test_numbers_of_the_resolver_and_of_tls_are_not_taken_for_errno(error: OSError) -> None:
    assert describe(error).errno is None


class HttpError(Exception):
    def __init__(self, response: object) -> None:
        super().__init__("refused")
        self.response = response


@pytest.mark.parametrize(
    "response",
    [
        SimpleNamespace(status_code=429, headers={"Retry-After": "17"}),
        SimpleNamespace(status=429, headers={"Retry-After": "17"}),
        SimpleNamespace(
            status_code=429,
            headers={
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
                "Retry-After": "Wed, 21 Oct 2015 07:28:17 GMT",
            },
        ),
    ],
)
def test_status_and_retry_after_of_a_response_are_found(response: object) -> None:
    info = describe(HttpError(response))
    assert (info.http_status, info.retry_after) == (429, 17.0)


def test_status_in_the_metadata_of_an_aws_answer_is_found() -> None:
    response = {"ResponseMetadata": {"HTTPStatusCode": 503}}
    assert describe(HttpError(response)).http_status == 503


def test_given_facts_win_and_those_that_make_no_sense_are_left_out() -> None:
    info = describe(
        FileNotFoundError(2, "x"), errno=13, http_status="404", retry_after="soon", colour="red"
    )
    assert (info.errno, info.http_status, info.retry_after) == (13, 404, None)


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    @property
    def response(self) -> object:
        raise KeyError("no response")

    status_code = "four hundred"


@pytest.mark.requirement("F4")
def test_an_exception_whose_every_part_is_broken_is_survived() -> None:
    info = describe(raised(lambda: (_ for _ in ()).throw(BrokenError())))
    assert info.message == ""
    assert info.exception_type is not None
    assert info.exception_type.endswith("BrokenError")


def test_exceptions_that_cause_each_other_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert describe(first).message == "1"


@given(st.text(), st.dictionaries(st.text(max_size=12), st.integers() | st.text() | st.none()))
def test_describe_never_raises(message: str, facts: dict[str, object]) -> None:
    assert isinstance(describe(message, **facts).message, str)


@pytest.mark.parametrize(
    "module", ["daemon.events", "daemon.triage", "daemon.triage.facts", "daemon.triage.taxonomy"]
)
def test_the_package_imports_in_any_order(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
