"""Mail accounts by API: made, changed, removed and verified while the daemon runs, their secrets never seen."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.pipelines.mail.account import Password
from daemon.store.runs import RunFilter
from tests.support.imap_login import ImapLogin, imap_login
from tests.support.product import ROOT, free_port
from tests.unit.api_support import (
    ADMIN_KEY,
    CONFIG,
    OPERATE_KEY,
    READ_KEY,
    WITH_KEYS,
    Served,
    serving,
    until,
)
from tests.unit.message_support import RunsKnowledge, done, place
from tests.unit.spine_support import PATIENCE

ACCOUNTS = "/api/accounts"
PASSWORD = "correct-horse-battery-staple"
USER = "support@example.com"
MAIL = """
[pipelines.mail]
[pipelines.mail.sources.configured]
host = "127.0.0.1"
port = 1
username = "cora@example.com"
password_env = "READ_KEY"
enabled = false
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, CONFIG + MAIL) as served:
        yield served


@pytest.fixture
def server() -> Iterator[ImapLogin]:
    with imap_login(USER, PASSWORD) as server:
        yield server


def settings(server: ImapLogin | None = None, **changes: Any) -> dict[str, Any]:
    port = server.port if server else free_port()
    given = {"host": "127.0.0.1", "port": port, "tls": "none", "username": USER}
    return given | {"password": PASSWORD} | changes


def make(served: Served, name: str = "support", **given: Any) -> Any:
    response = served.client.post(ACCOUNTS, json={"name": name, **(given or settings())})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"{ACCOUNTS}/{name}"
    return response.json()


def put(served: Served, name: str = "support", **given: Any) -> Any:
    response = served.client.put(f"{ACCOUNTS}/{name}", json=given)
    assert response.status_code == 200, response.text
    return response.json()


def verify(served: Served, name: str = "support") -> Any:
    response = served.client.post(f"{ACCOUNTS}/{name}/verify")
    assert response.status_code == 200, response.text
    return response.json()


def statuses(served: Served, name: str = "support") -> list[str]:
    """How the account's runs ended, oldest first."""
    page = served.daemon.runs.page(RunFilter(source=name, ended=True), 20)
    return [run.status for run in reversed(page.runs)]


def names(served: Served) -> list[tuple[str, str, bool]]:
    listed = served.get(ACCOUNTS)["accounts"]
    return [(account["name"], account["origin"], account["in_force"]) for account in listed]


@pytest.mark.requirement("S10")
def test_an_account_is_made_listed_changed_and_removed(served: Served) -> None:
    made = make(served)
    assert made == served.get(f"{ACCOUNTS}/support")
    assert made | {"created_at": 0, "updated_at": 0, "port": 0} == {
        "name": "support",
        "origin": "api",
        "in_force": True,
        "note": None,
        "email_address": USER,
        "host": "127.0.0.1",
        "port": 0,
        "tls": "none",
        "username": USER,
        "oauth": None,
        "folder": "INBOX",
        "hours": 24,
        "catch_up_hours": 168,
        "label_as": "auto",
        "dry_run": False,
        "timeout_seconds": 30.0,
        "deadline_seconds": 300.0,
        "enabled": True,
        "has_password": True,
        "password_problem": None,
        "latest_status": None,
        "latest_run_id": None,
        "last_success_at": None,
        "waiting": None,
        "standing": {
            "failing": False,
            "open_failures": 0,
            "categories": [],
            "failing_since": None,
            "consecutive_failures": 0,
            "last_success_at": None,
            "last_worked_at": None,
        },
        "created_at": 0,
        "created_by": "local",
        "updated_at": 0,
        "updated_by": "local",
    }
    assert names(served) == [("configured", "configuration", True), ("support", "api", True)]
    changed = put(
        served, **settings(host="mail.example.com", hours=48, email_address="team@example.com")
    )
    assert (changed["hours"], changed["host"]) == (48, "mail.example.com")
    assert served.daemon.catalog.accounts("TEAM@example.com") == (("mail", "support"),)
    response = served.client.delete(f"{ACCOUNTS}/support")
    assert (response.status_code, response.content) == (204, b"")
    assert names(served) == [("configured", "configuration", True)]
    for method in ("GET", "PUT", "DELETE"):
        body = {"json": settings()} if method == "PUT" else {}
        served.problem(404, f"{ACCOUNTS}/support", method=method, **body)
    served.problem(404, f"{ACCOUNTS}/support/verify", method="POST")


@pytest.mark.requirement("S10")
def test_a_password_left_out_is_kept_for_its_server_and_for_no_other(served: Served) -> None:
    first = settings()
    make(served, **first)
    first.pop("password")
    put(served, **first, hours=1)
    account = served.daemon.accounts.account("support")
    assert (account.credentials, account.source.hours) == (Password(PASSWORD), 1)
    put(served, **first, password="another")
    assert served.daemon.accounts.account("support").credentials == Password("another")
    for change in ({"host": "evil.example.com"}, {"port": 1}, {"tls": "starttls"}):
        problem = served.problem(
            400, f"{ACCOUNTS}/support", method="PUT", json=first | {"hours": 7} | change
        )
        assert problem["errors"][0]["pointer"] == "/password"
    assert served.get(f"{ACCOUNTS}/support")["hours"] == 24
    put(served, **first | {"host": "LOCALHOST", "password": PASSWORD})
    put(served, **first | {"host": "localhost", "username": "other"})


@pytest.mark.requirement("S10")
def test_oauth_takes_the_place_of_a_password(served: Served) -> None:
    oauth = {"token_url": "https://auth.example.com/token", "client_id": "id"}
    given = settings(password=None, oauth=oauth | {"refresh_token": PASSWORD})
    made = make(served, **given)
    assert made["oauth"] == oauth | {"scope": None}
    assert made["has_password"]
    kept = put(served, **settings(port=given["port"], password=None, oauth=oauth, hours=2))
    assert (kept["has_password"], kept["hours"]) == (True, 2)
    other = oauth | {"token_url": "https://evil.example.com/token"}
    problem = served.problem(
        400,
        f"{ACCOUNTS}/support",
        method="PUT",
        json=settings(port=given["port"], password=None, oauth=other),
    )
    assert problem["errors"][0]["pointer"] == "/oauth/refresh_token"
    put(served, **settings(port=given["port"]))
    assert served.daemon.accounts.account("support").credentials == Password(PASSWORD)


@pytest.mark.requirement("S10")
def test_the_configuration_can_only_be_changed_in_its_file(served: Served) -> None:
    for method, path, body in (
        ("POST", ACCOUNTS, {"name": "configured"} | settings()),
        ("PUT", f"{ACCOUNTS}/configured", settings()),
        ("DELETE", f"{ACCOUNTS}/configured", None),
    ):
        problem = served.problem(409, path, method=method, **({"json": body} if body else {}))
        assert "[pipelines.mail.sources.configured]" in problem["detail"]
    make(served)
    problem = served.problem(409, ACCOUNTS, method="POST", json={"name": "support"} | settings())
    assert "change it with PUT" in problem["detail"]
    assert served.get(f"{ACCOUNTS}/configured")["created_by"] is None


@pytest.mark.requirement("S10")
def test_without_a_mail_pipeline_no_account_is_made(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        problem = served.problem(409, ACCOUNTS, method="POST", json={"name": "a"} | settings())
        assert "[pipelines.mail]" in problem["detail"]
        assert names(served) == []
    assert not (tmp_path / "data" / "secret.key").exists()


@pytest.mark.requirement("S10")
def test_an_account_whose_name_the_configuration_takes_is_kept_aside(tmp_path: Path) -> None:
    with serving(tmp_path, CONFIG + MAIL) as served:
        make(served, "taken")
    with serving(tmp_path, CONFIG + MAIL.replace("configured", "taken")) as served:
        assert names(served) == [("taken", "configuration", True), ("taken", "api", False)]
        aside = served.get(ACCOUNTS)["accounts"][1]
        assert "same name" in aside["note"]
        assert not served.daemon.catalog.source("mail", "taken").enabled  # the configuration's
        served.problem(409, f"{ACCOUNTS}/taken", method="PUT", json=settings())
    with serving(tmp_path, CONFIG + "[pipelines.mail]") as served:
        assert names(served) == [("taken", "api", True)]
        assert served.daemon.catalog.source("mail", "taken").enabled
    with serving(tmp_path) as served:
        assert names(served) == [("taken", "api", False)]
        assert served.get(f"{ACCOUNTS}/taken")["note"].startswith("The configuration has no mail")
    with serving(tmp_path, CONFIG + MAIL.replace("configured", "taken")) as served:
        assert served.client.delete(f"{ACCOUNTS}/taken").status_code == 204
        assert names(served) == [("taken", "configuration", True)]
        assert served.daemon.catalog.find("mail", "taken") is not None


@pytest.mark.requirement("S2", "S10")
def test_a_name_goes_on_between_api_and_configuration_unless_it_is_another_mailbox(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    mail = CONFIG + "[pipelines.mail]"
    same = CONFIG + MAIL.replace("configured", "support").replace("cora@example.com", USER)
    other = CONFIG + MAIL.replace("configured", "support")
    with serving(tmp_path, mail) as served:
        make(served)
        process(served)
    with serving(tmp_path, same) as served:
        assert is_done(served)
        assert not changed(caplog)
    with serving(tmp_path, other) as served:
        assert not is_done(served)
        assert changed(caplog) == [("support", 1)]
        process(served)
    with serving(tmp_path, mail) as served:
        assert not is_done(served)
        assert changed(caplog) == [("support", 1)] * 2
        process(served)
        assert served.client.delete(f"{ACCOUNTS}/support").status_code == 204
        make(served)
        assert is_done(served)
        put(served, **settings(username="cora@example.com"))
        assert not is_done(served)
        process(served)
    with serving(tmp_path, other) as served:
        assert is_done(served)
    assert USER not in caplog.text


def process(served: Served) -> None:
    """A message of the account is done."""
    recorder = served.daemon.recorder
    assert recorder.wait(recorder.record(done(place(1)).event), PATIENCE)


def is_done(served: Served) -> bool:
    """Whether a message of the same numbers is taken for done."""
    daemon = served.daemon
    return bool(RunsKnowledge(daemon.database, daemon.clock).done("support", [place(1)]))


def changed(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    """What the log says of accounts that are another mailbox now."""
    lines = [record.__dict__ for record in caplog.records]
    return [(x["source"], x["messages"]) for x in lines if x.get("event") == "mailbox_changed"]


@pytest.mark.requirement("S10", "X4")
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_every_mistake_is_listed_and_no_secret_repeated(served: Served, method: str) -> None:
    make(served)
    path = ACCOUNTS if method == "POST" else f"{ACCOUNTS}/support"
    body = {
        "host": "no host",
        "port": 0,
        "tls": "perhaps",
        "password": "x" * 8193,
        "oauth": {"token_url": PASSWORD, "refresh_token": f"{PASSWORD}\n", "scope": 1},
        "hours": 1.5,
        "enabled": "yes",
        "timeout_seconds": 0,
        "password_env": "TRIAGED_API_KEY",
        "a/b~c": 1,
    }
    problem = served.problem(400, path, method=method, json=body)
    pointers = {mistake["pointer"] for mistake in problem["errors"]}
    expected = {f"/{name}" for name in body} - {"/a/b~c", "/oauth"}
    expected |= {"/a~1b~0c", "/username", "/oauth/client_id"}
    expected |= {"/oauth/token_url", "/oauth/refresh_token", "/oauth/scope"}
    assert pointers == expected | ({"/name"} if method == "POST" else set())
    told = {mistake["pointer"]: mistake["expected"] for mistake in problem["errors"]}
    assert told["/username"] == "a value, which is required"
    assert told["/port"] == "a port from 1 to 65535, got 0"
    assert "one of" in told["/password_env"]
    assert "xxxx" not in json.dumps(problem)
    assert f"{PASSWORD}\\n" not in json.dumps(problem)
    assert names(served) == [("configured", "configuration", True), ("support", "api", True)]


@pytest.mark.requirement("S10", "X4")
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"password": None}, "/password"),
        ({"password": 5}, "/password"),
        ({"password": ["x"]}, "/password"),
        ({"name": "a\n"}, "/name"),
        ({"name": "../x"}, "/name"),
        ({"username": "a\r\nA1 LOGOUT"}, "/username"),
        ({"host": "imap.example.com\n"}, "/host"),
        ({"host": "imap.example.com:993"}, "/host"),
        ({"host": "imap.example.com:993", "password": 5}, "/password"),
        ({"oauth": "text"}, "/oauth"),
        ({"oauth": {"token_url": "https://a.example", "client_id": "x"}}, "/password"),
        (
            {"password": None, "oauth": {"token_url": "https://a.example", "client_id": "x"}},
            "/oauth/refresh_token",
        ),
        (
            {
                "password": None,
                "oauth": {
                    "token_url": "http://a.example",
                    "client_id": "x",
                    "refresh_token": PASSWORD,
                },
            },
            "/oauth/token_url",
        ),
    ],
)
def test_a_body_with_a_mistake_changes_nothing(
    served: Served, change: dict[str, Any], pointer: str
) -> None:
    body = {"name": "support"} | settings() | change
    problem = served.problem(400, ACCOUNTS, method="POST", json=body)
    assert [mistake["pointer"] for mistake in problem["errors"]] == [pointer]
    assert PASSWORD not in json.dumps(problem)
    assert len(names(served)) == 1


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"1e999"])
def test_what_is_no_object_is_refused(served: Served, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    served.problem(400, ACCOUNTS, method="POST", content=body, headers=headers)


@pytest.mark.requirement("S10", "F6")
def test_the_password_is_nowhere_but_in_the_sealed_secret(
    tmp_path: Path, server: ImapLogin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(tmp_path, CONFIG + MAIL) as served:
        make(served, **settings(server))
        put(served, **settings(server, hours=2))
        answers = [json.dumps(verify(served)), json.dumps(served.get(ACCOUNTS))]
        server.password = "changed"
        answers.append(json.dumps(verify(served)))
        served.run("mail")
        answers.append(json.dumps(served.get("/api/failures")))
        answers.append(served.client.get("/metrics").text)
        answers.append(json.dumps(served.get("/schema/openapi.json")))
        while_open = files(tmp_path)
        assert any(name.endswith(".wal") for name in while_open)
    for content in (*while_open.values(), *files(tmp_path).values()):
        assert PASSWORD.encode() not in content
    assert PASSWORD not in "".join(answers)
    records = [str(record.__dict__) for record in caplog.records]
    assert PASSWORD not in "".join(records)
    saved = [record for record in caplog.records if record.__dict__.get("event") == "account_saved"]
    assert [(r.__dict__["by"], r.__dict__["source"]) for r in saved] == [("local", "support")] * 2
    assert saved[1].__dict__["changed"] == ["hours", "secret"]
    assert [record for record in records if USER in record] == []


@pytest.mark.requirement("S10", "F6", "U6")
def test_the_audit_trail_says_what_was_set_but_not_who_logs_in(
    served: Served, server: ImapLogin
) -> None:
    mistaken = settings(server, name="support", username="svc-miller", pasword="mistyped-secret")
    assert served.client.post(ACCOUNTS, json=mistaken).status_code == 400
    make(served, **settings(server, username="svc-miller", hours=48))
    made, refused = served.get("/api/audit", action="accounts.create")["entries"]
    assert (made["outcome"], refused["outcome"]) == ("done", "refused")
    assert (made["subject"], refused["subject"]) == ("support", "support")
    details = json.loads(made["details"])
    assert (details["name"], details["hours"]) == ("support", 48)
    for hidden in ("svc-miller", "mistyped-secret", PASSWORD):
        assert hidden not in f"{made}{refused}"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in (folder / "data").rglob("*") if p.is_file()}


@pytest.mark.requirement("S10")
def test_a_key_file_that_cannot_be_used_stops_accounts_and_not_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "data" / "secret.key"
    with serving(tmp_path, CONFIG + MAIL) as served:
        make(served)
        good = key.read_bytes()
    key.write_bytes(good[::-1].strip() + b"\n")
    with serving(tmp_path, CONFIG + MAIL) as served:
        shown = served.get(f"{ACCOUNTS}/support")
        assert not shown["has_password"]
        assert "damaged" in shown["password_problem"] or "another key" in shown["password_problem"]
        missing = [r for r in caplog.records if r.__dict__.get("event") == "account_secret_missing"]
        assert [record.__dict__["source"] for record in missing] == ["support"]
        failed = verify(served)
        assert (failed["ok"], failed["triage"]["retryable"]) == (False, False)
        served.run("mail")
        assert statuses(served) == ["failed"]
        key.chmod(0o644)
        problem = served.problem(409, f"{ACCOUNTS}/support", method="PUT", json=settings())
        assert "chmod 600" in problem["detail"]
        key.chmod(0o600)
        key.write_bytes(good)
        assert served.get(f"{ACCOUNTS}/support")["has_password"]


@pytest.mark.requirement("S10")
def test_a_login_is_tried_and_answered_with_its_triage(served: Served, server: ImapLogin) -> None:
    make(served, **settings(server))
    good = verify(served)
    assert (good["ok"], good["state"], good["triage"]) == (True, "completed", None)
    server.password = "changed"
    wrong = verify(served)
    assert (wrong["ok"], wrong["state"]) == (False, "connecting")
    assert wrong["triage"]["category"] == "authentication"
    assert wrong["triage"]["group"] == "validation"
    assert not wrong["triage"]["retryable"]
    assert wrong["triage"]["user_message"]
    assert wrong["triage"]["suggested_action"]
    make(served, "nobody-there", **settings())
    refused = verify(served, "nobody-there")
    assert (refused["triage"]["category"], refused["triage"]["retryable"]) == ("connection", True)
    assert statuses(served) == []


@pytest.mark.requirement("S10", "F5")
def test_other_credentials_let_a_held_account_go_at_once(served: Served, server: ImapLogin) -> None:
    make(served, **settings(server, password="wrong"))
    served.run("mail")
    assert statuses(served) == ["failed"]
    held = served.get(f"{ACCOUNTS}/support")
    assert (held["waiting"]["reason"], held["latest_status"]) == ("held", "failed")
    put(served, **settings(server))
    until(lambda: statuses(served) == ["failed", "success"])
    well = served.get(f"{ACCOUNTS}/support")
    assert (well["waiting"], well["latest_status"]) == (None, "success")
    assert well["last_success_at"] is not None


@pytest.mark.requirement("S10", "F5")
def test_a_login_that_works_lets_a_held_account_go_and_one_that_does_not_leaves_it(
    served: Served, server: ImapLogin
) -> None:
    server.password = "not yet"
    make(served, **settings(server))
    served.run("mail")
    assert not verify(served)["ok"]
    assert served.get(f"{ACCOUNTS}/support")["waiting"]["reason"] == "held"
    server.password = PASSWORD
    assert verify(served)["ok"]
    until(lambda: statuses(served) == ["failed", "success"])
    assert verify(served)["ok"]
    assert server.logins.count(True) == 3
    assert statuses(served) == ["failed", "success"]


@pytest.mark.requirement("S10", "F5")
def test_a_person_may_run_a_held_account(served: Served, server: ImapLogin) -> None:
    make(served, **settings(server, password="wrong"))
    served.run("mail")
    server.password = "wrong"
    response = served.client.post("/api/pipelines/mail/run", json={"source": "support"})
    assert response.status_code == 202
    until(lambda: statuses(served) == ["failed", "success"])
    until(lambda: served.get(f"{ACCOUNTS}/support")["waiting"] is None)


@pytest.mark.requirement("S10", "M1")
def test_metrics_of_an_account_come_and_go_with_it(served: Served) -> None:
    series = 'triaged_source_consecutive_failures{pipeline="mail",source="support"} '
    assert series not in served.client.get("/metrics").text
    make(served)
    make(served, "another")
    assert series + "0.0" in served.client.get("/metrics").text
    served.run("mail")
    assert series + "1.0" in served.client.get("/metrics").text
    served.client.delete(f"{ACCOUNTS}/support")
    metrics = served.client.get("/metrics").text
    assert '"mail",source="support"' not in metrics
    assert '"mail",source="another"' in metrics
    assert statuses(served) == ["failed"]
    assert served.get("/api/runs", source="support")["total_runs"] == 1


@pytest.mark.requirement("S10", "S6")
def test_who_may_only_look_changes_and_tries_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, WITH_KEYS + MAIL) as served:
        reader = {"headers": {"x-api-key": READ_KEY}}
        body = {"name": "support"} | settings()
        served.problem(403, ACCOUNTS, method="POST", json=body, **reader)
        for method, path in (
            ("PUT", "configured"),
            ("DELETE", "configured"),
            ("POST", "configured/verify"),
        ):
            served.problem(403, f"{ACCOUNTS}/{path}", method=method, **reader)
        assert served.client.get(ACCOUNTS, **reader).status_code == 200
        served.problem(403, ACCOUNTS, method="POST", json=body, headers={"x-api-key": OPERATE_KEY})
        made = served.client.post(ACCOUNTS, json=body, headers={"x-api-key": ADMIN_KEY})
        assert made.json()["created_by"] == "boss"


@pytest.mark.requirement("S10")
def test_what_encrypts_is_loaded_once_there_is_an_account(tmp_path: Path) -> None:
    (tmp_path / "triaged.toml").write_text("[pipelines.mail]")
    script = """
import sys
from pathlib import Path
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
daemon = Daemon(load_settings(Path(sys.argv[1])))
daemon.start(schedule=False)
daemon.stop(0)
print("cryptography" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "triaged.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("path", [ACCOUNTS, f"{ACCOUNTS}/support"])
def test_options_names_all_methods(served: Served, path: str) -> None:
    allowed = served.client.options(path)
    assert allowed.status_code == 204
    for method in allowed.headers["allow"].split(", "):
        assert served.client.request(method, path).status_code != 405
