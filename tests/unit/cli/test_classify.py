"""`triaged classify`: what goes in, what comes out, and what a bad line does."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.cli import main

FIELDS = [
    "category", "group", "retryable", "rule", "user_message", "suggested_action", "retry",
    "retry_reason",
]  # fmt: skip


def write(folder: Path, *lines: str) -> str:
    file = folder / "errors.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(file)


@pytest.mark.requirement("F4", "X6")
def test_each_line_comes_out_as_one_line_with_its_id_and_the_fields_of_the_contract(
    tmp_path, capsys
):
    file = write(
        tmp_path,
        '{"id": "a", "message": "535 5.7.8 Authentication failed", "pipeline": "mail"}',
        '{"id": 2, "message": "No space left on device", "exception": null, "more": [1]}',
    )
    assert main(["classify", "--jsonl", file]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(first) == ["id", *FIELDS]
    assert (first["id"], first["category"], first["retryable"]) == ("a", "authentication", False)
    assert (second["id"], second["category"]) == (2, "write_failure")


@settings(max_examples=25, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4))
def test_any_id_comes_back_as_it_was(identity):
    line = json.dumps({"id": identity, "message": "disk full"}).encode()
    out = io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
        patch.setattr("sys.stdout", out)
        assert main(["classify", "--jsonl", "-"]) == 0
    assert json.loads(out.buffer.getvalue())["id"] == identity


def test_a_line_without_id_comes_out_without_one(tmp_path, capsys):
    assert main(["classify", "--jsonl", write(tmp_path, '{"message": "disk full"}')]) == 0
    assert list(json.loads(capsys.readouterr().out)) == FIELDS


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    "bad", ["nonsense", "[]", '{"id": 1}', '{"message": 5}', '{"message": "a"', "\udcff"]
)
def test_a_bad_line_is_named_by_its_number_and_the_rest_goes_on(tmp_path, capsys, bad):
    file = tmp_path / "errors.jsonl"
    lines = f'{{"message": "disk full"}}\n\n{bad}\n{{"message": "disk full"}}\n'
    file.write_bytes(lines.encode("utf-8", "surrogateescape"))
    assert main(["classify", "--jsonl", str(file)]) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert said.err.startswith("triaged: line 3: ")


def test_a_line_may_name_an_exception_that_python_knows_and_its_bases_count(tmp_path, capsys):
    line = '{"message": "", "exception": "ConnectionAbortedError"}'
    assert main(["classify", "--jsonl", write(tmp_path, line)]) == 0
    assert json.loads(capsys.readouterr().out)["category"] == "connection"


def test_an_empty_message_is_unknown_and_gets_advice(capsys):
    assert main(["classify", "--json", ""]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["category"] == "unknown"
    assert answer["suggested_action"]


def test_a_person_reads_words_rather_than_json(capsys):
    assert main(["classify", "535 5.7.8 Authentication failed"]) == 0
    shown = capsys.readouterr().out
    assert "authentication" in shown
    assert "what to do" in shown
    assert "{" not in shown


def test_rules_of_ones_own_apply(tmp_path, capsys):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "frobnicator"\ncategory = "resource"\npatterns = ["frobnicator jammed"]\n'
        'user_message = "It is jammed."\nsuggested_action = "Shake it."\n'
    )
    assert main(["classify", "--json", "--rules", str(rules), "the frobnicator jammed"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "frobnicator"


def test_a_bad_rule_is_refused_with_its_place(tmp_path, capsys):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "x"\ncategory = "nonsense"\n')
    assert main(["classify", "--rules", str(rules), "message"]) == 2
    assert "rules.toml: rule[1] 'x'.category" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said_in_a_sentence(capsys):
    assert main(["classify", "--jsonl", "nowhere.jsonl"]) == 1
    assert capsys.readouterr().err == (
        "triaged: nowhere.jsonl cannot be read: No such file or directory\n"
    )


@pytest.mark.requirement("F4")
@pytest.mark.parametrize(
    ("facts", "category"),
    [
        (["--http-status", "429"], "rate_limit"),
        (["--errno", "ENOSPC"], "write_failure"),
        (["--errno", str(errno.ENOSPC)], "write_failure"),
        (["--sqlstate", "23505"], "validation"),
        (["--error-class", "CAST"], "schema_mismatch"),
    ],
)
def test_facts_may_be_given_and_decide(capsys, facts, category):
    assert main(["classify", "--json", *facts, "no"]) == 0
    assert json.loads(capsys.readouterr().out)["category"] == category


def test_the_code_of_an_imap_server_may_be_given(tmp_path, capsys):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "ours"\ncategory = "resource"\nimap_code = ["OVERQUOTA"]\n'
        'user_message = "It is full."\nsuggested_action = "Empty it."\n'
    )
    assert main(["classify", "--json", "--rules", str(rules), "--imap-code", "overquota", ""]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "ours"


@pytest.mark.requirement("F4")
def test_facts_of_a_line_decide_before_those_of_the_command(tmp_path, capsys):
    file = write(tmp_path, '{"message": "no", "http_status": 429}', '{"message": "no"}')
    assert main(["classify", "--jsonl", file, "--http-status", "503"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["category"] for line in lines] == ["rate_limit", "service_unavailable"]


def test_a_fact_of_the_wrong_type_is_a_mistake_of_its_line(tmp_path, capsys):
    assert main(["classify", "--jsonl", write(tmp_path, '{"message": "a", "errno": "x"}')]) == 1
    assert "line 1: Expected `int | null`" in capsys.readouterr().err


@pytest.mark.requirement("F4")
def test_whether_a_retry_helps_is_told_with_its_reason(capsys):
    main(["classify", "--json", "the frobnicator is sad"])
    answer = json.loads(capsys.readouterr().out)
    assert (answer["retryable"], answer["retry"]) == (False, "unknown")
    main(["classify", "535 5.7.8 Authentication failed"])
    assert "no: retrying cannot help: the credentials have to" in capsys.readouterr().out


@pytest.mark.requirement("F4")
def test_an_answer_is_explained_to_people_and_to_programs(capsys):
    words = ["classify", "--explain", "--http-status", "400", "invalid_grant for bob@example.com"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "patterns invalid_grant  in  >>invalid_grant<< for [email]" in shown
    assert "http_rejected (rejected): it is a fallback" in shown
    assert main([*words, "--json"]) == 0
    explanation = json.loads(capsys.readouterr().out)["explanation"]
    assert explanation["matched"]["rule"] == "http_credentials_expired"
