"""Secrets of every kind, and every way in which texts hold them; for tests that look for what is left.

All are made from an id, so that each has a random part of its own that can be searched for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

PIECE = 6
"""A secret counts as found when so many of its characters in a row are."""


class Secret(NamedTuple):
    """A text that must not be found, and the part of it that is random."""

    kind: str
    text: str
    random: str

    def leaks(self, output: str) -> list[str]:
        """Pieces of the random part that the output holds.

        Six digits say nothing: times and durations are full of them.
        """
        pieces = {self.random[i : i + PIECE] for i in range(len(self.random) - PIECE + 1)}
        return sorted(piece for piece in pieces if piece in output and not piece.isdigit())


def _digits(seed: str, alphabet: str, length: int) -> str:
    """Random characters that are always the same for a seed."""
    number = int.from_bytes(hashlib.shake_256(seed.encode()).digest(length), "big")
    out = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        out.append(alphabet[index])
    return "".join(out)


_HEX = "0123456789abcdef"
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_URLSAFE = _ALNUM + "-_"

# kind: what stands before the random part, its alphabet, its length, what stands after it
_SHAPES: dict[str, tuple[str, str, int, str]] = {
    "aws_key_id": ("AKIA", _UPPER, 16, ""),
    "aws_session_key_id": ("ASIA", _UPPER, 16, ""),
    "github_token": ("ghp_", _ALNUM, 36, ""),
    "github_app_token": ("ghs_", _ALNUM, 36, ""),
    "github_pat": ("github_pat_", _ALNUM, 60, ""),
    "gitlab_token": ("glpat-", _URLSAFE, 20, ""),
    "gitlab_runner_token": ("glrt-", _URLSAFE, 20, ""),
    "slack_bot_token": ("xoxb-1234567890-", _ALNUM, 24, ""),
    "slack_app_token": ("xapp-1-A012-", _ALNUM, 40, ""),
    "stripe_key": ("sk_live_", _ALNUM, 24, ""),
    "stripe_webhook_secret": ("whsec_", _ALNUM, 32, ""),
    "openai_key": ("sk-proj-", _URLSAFE, 48, ""),
    "anthropic_key": ("sk-ant-api03-", _URLSAFE, 60, "AA"),
    "sendgrid_key": ("SG.", _ALNUM, 22, "." + "x" * 8),
    "twilio_key": ("SK", _HEX, 32, ""),
    "npm_token": ("npm_", _ALNUM, 36, ""),
    "pypi_token": ("pypi-AgEIcHlwaS5vcmc", _ALNUM, 60, ""),
    "huggingface_token": ("hf_", _ALNUM, 34, ""),
    "google_key": ("AIza", _URLSAFE, 35, ""),
    "google_access_token": ("ya29.", _URLSAFE, 60, ""),
    "google_client_secret": ("GOCSPX-", _ALNUM, 28, ""),
    "azure_client_secret": ("abc8Q~", _ALNUM, 34, ""),
    "azure_storage_key": ("", _ALNUM + "+/", 86, "=="),
    "digitalocean_token": ("dop_v1_", _HEX, 64, ""),
    "shopify_token": ("shpat_", _HEX, 32, ""),
    "mailgun_key": ("key-", _HEX, 32, ""),
    "mailchimp_key": ("", _HEX, 32, "-us12"),
    "telegram_token": ("123456789:AA", _URLSAFE, 33, ""),
    "databricks_token": ("dapi", _HEX, 32, ""),
    "vault_token": ("hvs.", _ALNUM, 24, ""),
    "grafana_token": ("glsa_", _ALNUM, 32, "_0badc0de"),
    "new_relic_key": ("NRAK-", _UPPER, 27, ""),
    "docker_token": ("dckr_pat_", _ALNUM, 27, ""),
    "triaged_key": ("trg_", _ALNUM, 49, ""),
    "groq_key": ("gsk_", _ALNUM, 52, ""),
    "age_key": ("AGE-SECRET-KEY-1", _UPPER, 58, ""),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.", _URLSAFE, 43, ""),
    "ssh_public_key": ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", _ALNUM, 43, ""),
}


def shaped(seed: str) -> Iterator[Secret]:
    """Secrets that are known by their shape, wherever they stand."""
    for kind, (before, alphabet, length, after) in _SHAPES.items():
        random = _digits(kind + seed, alphabet, length)
        yield Secret(kind, before + random + after, random)
    random = _digits("sasl" + seed, _ALNUM, 18)
    plain = base64.b64encode(f"\0jane\0{random}".encode()).decode()
    yield Secret("sasl_plain", plain, plain[10:])
    xoauth = base64.b64encode(f"user=jane\1auth=Bearer {random}\1\1".encode()).decode()
    yield Secret("xoauth2", xoauth, xoauth[10:])


def named(seed: str) -> Iterator[Secret]:
    """Secrets that only their name or place tells."""
    for kind, alphabet, length in (
        ("alphanumeric", _ALNUM, 12),
        ("long hex", _HEX, 40),
        ("base64", _ALNUM + "+/", 40),
        ("lower case", "abcdefghijklmnopqrstuvwxyz", 24),
    ):
        random = _digits(kind + seed, alphabet, length - 1)
        yield Secret(kind, "7" + random if kind != "lower case" else "q" + random, random)


def difficult(seed: str) -> Iterator[Secret]:
    """Passwords of characters that notations use themselves."""
    for kind, mark in {
        "blank": " ", "comma": ",", "semicolon": ";", "ampersand": "&", "at": "@", "hash": "#", "slash": "/",
        "quote": "'", "double quote": '"', "backslash": "\\", "parenthesis": ")", "bracket": "]", "brace": "}",
        "less": "<", "greater": ">", "equals": "=", "colon": ":", "percent": "%", "dollar": "$", "unicode": "é",
    }.items():  # fmt: skip
        left, right = (_digits(part + kind + seed, _ALNUM, 9) for part in "lr")
        yield Secret(kind, left + mark + right, left + mark + right)


def pem(seed: str, kind: str = "RSA PRIVATE KEY") -> Secret:
    """A private key of several lines."""
    lines = [_digits(f"{seed}{n}", _ALNUM + "+/", 64) for n in range(6)]
    body = "\n".join(lines)
    return Secret(kind, f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----", lines[3])


def _quoted_sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _libpq(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _basic(text: str) -> str:
    return base64.b64encode(f"jane:{text}".encode()).decode()


Wrapper = Callable[[str], str]

QUOTING: dict[str, Wrapper] = {
    "json": lambda s: json.dumps({"user": "x", "password": s, "port": 1}),
    "json indented": lambda s: json.dumps({"auth": {"client_secret": s}}, indent=2),
    "json in json": lambda s: json.dumps({"body": json.dumps({"password": s, "a": 1})}),
    "json in json in json": lambda s: json.dumps([json.dumps({"b": json.dumps({"api_key": s})})]),
    "json in a repr": lambda s: repr(json.dumps({"access_token": s, "n": 2})),
    "bytes of json": lambda s: repr(json.dumps({"access_token": s, "n": 2}).encode()),
    "list of json": lambda s: json.dumps({"passwords": [s, s]}),
    "name and value": lambda s: json.dumps({"name": "DB_PASSWORD", "value": s}),
    "dict": lambda s: repr({"user": "x", "password": s, "port": 5}),
    "bytes in a dict": lambda s: repr({b"authorization": s.encode()}),
    "headers in a dict": lambda s: repr({"Authorization": f"Bearer {s}", "Accept": "*"}),
    "headers as pairs": lambda s: repr([("Accept", "*"), ("Authorization", f"Bearer {s}")]),
    "headers as a list": lambda s: json.dumps({"rawHeaders": ["Accept", "*", "Cookie", f"sid={s}"]}),
    "cookies of node": lambda s: f"'set-cookie': [\n  'a=b; Path=/',\n  {('sid=' + s)!r}\n],",
    "repr of a record": lambda s: f"User(name='x', password={s!r}, age=3)",
    "pydantic": lambda s: f"Settings(host='x', token=SecretStr({s!r}))",
    "rust": lambda s: f'Config {{ user: "x", password: Some({json.dumps(s, ensure_ascii=False)}) }}',
    "source": lambda s: f"    connect(host, password={json.dumps(s, ensure_ascii=False)})",
    "typed source": lambda s: f"password: str = {s!r}",
    "environment in source": lambda s: f"os.environ['API_TOKEN'] = {s!r}",
    "locals of a traceback": lambda s: f"│ password = {s!r}  │\n│ port = 5432 │",
    "yaml": lambda s: f"db:\n  host: x\n  password: {json.dumps(s, ensure_ascii=False)}\n  port: 1",
    "kubernetes": lambda s: f"- name: DB_PASSWORD\n  value: {json.dumps(s, ensure_ascii=False)}\n- name: X",
    "toml": lambda s: f"[db]\npassword = {json.dumps(s, ensure_ascii=False)}\nport = 5",
    "libpq": lambda s: f"host=db user=x password={_libpq(s)} dbname=y",
    "sql user": lambda s: f"CREATE USER x IDENTIFIED BY {_quoted_sql(s)} REQUIRE SSL",
    "sql role": lambda s: f"ALTER ROLE x WITH PASSWORD {_quoted_sql(s)} VALID UNTIL 'infinity'",
    "sql insert": lambda s: f"INSERT INTO users (id, password, age) VALUES (1, {_quoted_sql(s)}, 3)",
    "sql rows": lambda s: (
        f"INSERT INTO t (api_key, n) VALUES ({_quoted_sql(s)}, 1), ({_quoted_sql(s)}, 2)"
    ),
    "sql update": lambda s: f"UPDATE users SET password = {_quoted_sql(s)} WHERE id = 1",
    "sqlalchemy": lambda s: (
        "[SQL: INSERT INTO u (id, password) VALUES (%(id)s, %(password)s)]\n"
        f"[parameters: {{'id': 1, 'password': {s!r}}}]"
    ),
    "sqlalchemy by position": lambda s: (
        f"[SQL: INSERT INTO u (id, password) VALUES (?, ?)]\n[parameters: (1, {s!r})]"
    ),
    "duckdb secret": lambda s: f"CREATE SECRET x (TYPE s3, KEY_ID 'k', SECRET {_quoted_sql(s)})",
    "shell": lambda s: f"mysqldump --password={shlex.quote(s + ' ')} db",
    "argv": lambda s: repr(["curl", "--token", s, "https://example.com"]),
    "argv of curl": lambda s: repr(["curl", "-u", f"bob:{s}", "https://example.com"]),
    "argv of a failed process": lambda s: (
        f"Command {['psql', f'--password={s}', 'db']!r} returned non-zero exit status 2."
    ),
}  # fmt: skip
"""Notations with quotes of their own: they hold any password."""

BARE: dict[str, Wrapper] = {
    "ini": lambda s: f"[db]\npassword={s}\nport=5",
    "env": lambda s: f"export DB_PASSWORD={s}\nDB_PORT=5",
    "environment of a command": lambda s: f"PGPASSWORD={s} psql -h db",
    "plain yaml": lambda s: f"db:\n  password: {s}\n  port: 1",
    "value on the next line": lambda s: f"password:\n    {s}",
    "yaml block": lambda s: f"api_key: |\n  {s}\nport: 1",
    "properties": lambda s: f"spring.datasource.password={s}",
    "ado": lambda s: f"Server=db;Uid=sa;Pwd={s};Database=x",
    "odbc": lambda s: f"Driver={{x}};Server=db;PWD={{{s}}};Port=1",
    "jdbc": lambda s: f"jdbc:postgresql://db:5432/x?user=bob&password={s}&ssl=true",
    "servicebus": lambda s: f"Endpoint=sb://x/;SharedAccessKeyName=y;SharedAccessKey={s};EntityPath=z",
    "java": lambda s: f"Config(user=x, password={s}, port=1)",
    "java map": lambda s: f"{{Accept=[*/*], Authorization=[Bearer {s}], Host=[x]}}",
    "go": lambda s: f"&{{User:bob Password:{s} Host:db}}",
    "said": lambda s: f"login failed: the password is {s} for bob",
    "header": lambda s: f"GET / HTTP/1.1\r\nAuthorization: Bearer {s}\r\nHost: x",
    "folded header": lambda s: f"Authorization: Bearer\r\n {s}\r\nHost: x",
    "header of another scheme": lambda s: f"Authorization: Splunk {s}\nHost: x",
    "curl": lambda s: f"> GET / HTTP/1.1\n> Host: x\n> X-Api-Key: {s}\n> Accept: */*",
    "curl cookie": lambda s: f"< Set-Cookie: sid={s}; Path=/; HttpOnly\n< Server: x",
    "proxy header": lambda s: f"Proxy-Authorization: Negotiate {s}\n",
    "option of curl": lambda s: f"curl -H 'X-Auth-Token: {s}' https://example.com",
    "request as bytes": lambda s: f"b'GET / HTTP/1.1\\r\\nAuthorization: Token {s}\\r\\nHost: x\\r\\n'",
    "digest": lambda s: f'Authorization: Digest username="x", realm="y", response="{s}", qop=auth',
    "cookie": lambda s: f"Cookie: theme=dark; session={s}; x=y",
    "environment of cgi": lambda s: f"HTTP_AUTHORIZATION=Bearer {s}\nHTTP_HOST=x",
    "query": lambda s: f"GET https://example.com/x?page=2&access_token={quote(s, '')}&n=1",
    "fragment": lambda s: f"https://example.com/cb#access_token={quote(s, '')}&state=x1",
    "amazon url": lambda s: (
        f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Credential={quote(s, '')}&X-Amz-Signature={quote(s, '')}"
    ),
    "google url": lambda s: f"https://storage.googleapis.com/b/k?X-Goog-Signature={quote(s, '')}&x=1",
    "azure url": lambda s: f"https://a.blob.core.windows.net/c?sv=1&se=2&sp=r&sig={quote(s, '')}",
    "cloudfront url": lambda s: (
        f"https://d.cloudfront.net/x?Policy={quote(s, '')}&Signature={quote(s, '')}&Key-Pair-Id={quote(s, '')}"
    ),
    "userinfo": lambda s: f"amqp://bob:{quote(s, '')}@db.example.com:5672/x",
    "user only": lambda s: f"https://{quote(s, '')}@github.com/x/y",
    "redis url": lambda s: f"redis://:{quote(s, '')}@cache:6379/0",
    "escaped url": lambda s: f'{{"u":"https:\\/\\/bob:{quote(s, "")}@example.com\\/x"}}',
    "url in a query": lambda s: (
        f"https://x/?next={quote('https://y/?token=' + quote(s, ''), '')}&a=1"
    ),
    "url of gson": lambda s: f'{{"u":"https://x/?a\\u003d1\\u0026token\\u003d{quote(s, "")}\\u0026n\\u003d1"}}',
    "html": lambda s: f"{{&quot;password&quot;:&quot;{s}&quot;,&quot;n&quot;:1}}",
    "url-encoded json": lambda s: quote(json.dumps({"password": s, "n": 1}), ""),
    "xml": lambda s: f"<user><Password type='x'>{s}</Password></user>",
    "soap": lambda s: f'<wsse:Password Type="#PasswordText">{s}</wsse:Password>',
    "app.config": lambda s: f'<add key="Password" value="{s}"/>',
    "property list": lambda s: f"<key>password</key>\n<string>{s}</string>",
    "imap": lambda s: f"a1 LOGIN bob {s}",
    "imap in quotes": lambda s: f'> b\'OKAD1 LOGIN "bob@example.com" "{s}"\'',
    "imap literal": lambda s: f"a1 LOGIN bob {{{len(s)}}}\r\n{s}\r\n",
    "pop": lambda s: f"C: USER bob\nC: PASS {s}\nS: -ERR",
    "smtplib": lambda s: f"send: 'AUTH PLAIN {_basic(s)}\\r\\n'\nreply: b'535'",
    "smtp login": lambda s: f"S: 334 UGFzc3dvcmQ6\nC: {_basic(s)}\nS: 535",
    "ftp": lambda s: f"USER bob\nPASS {s}\n530 Login incorrect",
    "basic": lambda s: f"Authorization: Basic {_basic(s)}",
    "basic in a sentence": lambda s: f"sent Basic {_basic(s)} to the proxy",
    "redis": lambda s: f"AUTH default {s}\n-WRONGPASS",
    "mysql": lambda s: f"mysql -u root -p{s} db",
    "sshpass": lambda s: f"sshpass -p {s} ssh x@y",
    "openssl": lambda s: f"openssl rsa -in k -passin pass:{s} -out x",
    "netrc": lambda s: f"machine example.com login bob password {s}",
    "oracle": lambda s: f"sqlplus scott/{s}@//db:1521/x",
    "incorrect key": lambda s: f"Incorrect API key provided: {s}. You can find it at https://x",
}  # fmt: skip
"""Notations that hold what has no blanks and none of their own marks."""
