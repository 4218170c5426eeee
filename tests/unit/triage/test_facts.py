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
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.triage import Triage, describe


@pytest.fixture(scope="module")
def triage() -> Triage:
    return Triage.load()


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


class Hostile(type):
    @property
    def __mro__(cls) -> tuple[type, ...]:  # type: ignore[override]
        raise SystemExit


class HostileError(Exception, metaclass=Hostile):
    def __getattribute__(self, name: str) -> object:
        raise KeyboardInterrupt

    def __str__(self) -> str:
        raise GeneratorExit


@pytest.mark.requirement("F4")
def test_nothing_that_an_exception_raises_leaves_its_description() -> None:
    assert describe(HostileError()).exception_type == "HostileError"


@pytest.mark.parametrize("given", [float("nan"), float("inf"), -1, 10**30, 1e300])
def test_numbers_that_there_cannot_be_are_left_out(given: float) -> None:
    error = OSError(given, "x")
    error.retry_after = given  # type: ignore[attr-defined]
    for info in (describe("x", errno=given, http_status=given, retry_after=given), describe(error)):
        assert (info.errno, info.http_status, info.retry_after) == (None, None, None)


def test_names_and_codes_of_a_megabyte_are_no_facts() -> None:
    long = "x" * 1_000_000
    kind = type(long, (Exception,), {"error_class": long, "imap_code": long})
    for info in (describe(kind()), describe("x", sqlstate=long, error_class=long, imap_code=long)):
        assert (info.sqlstate, info.error_class, info.imap_code) == (None, None, None)
        assert len(info.exception_type or "") <= 200


def test_exceptions_that_cause_each_other_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert describe(first).message == "1"


@given(st.text(), st.dictionaries(st.text(max_size=12), st.integers() | st.text() | st.none()))
def test_describe_never_raises(message: str, facts: dict[str, object]) -> None:
    assert isinstance(describe(message, **facts).message, str)


@pytest.mark.parametrize(
    "module", ["daemon.events", "daemon.triage", "daemon.triage.facts", "daemon.taxonomy"]
)
def test_the_package_imports_in_any_order(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def httpx_error(status: int, **answer) -> httpx.HTTPStatusError:
    """As httpx raises it for an answer that was read."""
    request = httpx.Request("POST", "https://api.example.com/v1/rows")
    response = httpx.Response(status, request=request, **answer)
    return raised(response.raise_for_status)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"type": "about:blank", "title": "Bad", "detail": "email is required"},
            "email is required",
        ),
        ({"error": {"code": 429, "message": "Quota exceeded"}}, "Quota exceeded"),
        ({"errors": {"email": ["has already been taken"]}}, "email: has already been taken"),
        ({"error": "invalid_grant", "error_description": "Token has expired"}, "Token has expired"),
        ([{"message": "unable to obtain exclusive access"}], "unable to obtain exclusive access"),
    ],
)
def test_the_answers_own_words_are_part_of_the_message(body: object, said: str) -> None:
    info = describe(httpx_error(400, json=body))
    assert said in info.message
    assert info.message.startswith("Client error '400")
    assert info.http_status == 400


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"{broken", b"[" * 9000, b"\xff\x00{"])
def test_a_body_that_says_nothing_is_left_out(body: bytes) -> None:
    assert "no</html>" not in describe(httpx_error(500, content=body)).message


def test_a_body_that_was_not_read_is_not_waited_for() -> None:
    def endless():
        raise AssertionError("the network was asked")
        yield b""

    request = httpx.Request("GET", "https://api.example.com")
    response = httpx.Response(500, request=request, content=endless())
    assert describe(raised(response.raise_for_status)).http_status == 500


class Coded(Exception):
    """As clients of services carry the code of an answer."""

    def __init__(self, **attributes: object) -> None:
        super().__init__("refused")
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Coded(response={"Error": {"Code": "SlowDown"}}), "SlowDown"),
        (Coded(code=lambda: SimpleNamespace(name="UNAVAILABLE")), "UNAVAILABLE"),
        (Coded(error="invalid_grant"), "invalid_grant"),
        (Coded(error=SimpleNamespace(code="BlobNotFound")), "BlobNotFound"),
        (Coded(code=42, reason=OSError("x")), None),
        (Coded(code=lambda: 1 / 0), None),
    ],
)
def test_codes_of_services_are_facts(error: Coded, code: str | None) -> None:
    assert describe(error).error_class == code


def test_a_code_beside_the_text_is_found_like_one_in_it(triage: Triage) -> None:
    info = describe(Coded(response={"Error": {"Code": "SlowDown"}}))
    assert triage.classify(info, "upload").category == "rate_limit"
    refused = describe("login failed", imap_code="AUTHENTICATIONFAILED")
    assert triage.classify(refused, "mail").category == "authentication"
