"""A real Dovecot on loopback, unprivileged, in a folder of its own: an IMAP server for tests.

Started by root, it runs as nobody: Dovecot gives nobody with the id of root access to mail.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.certificates import make_certificates
from tests.support.product import free_port, wait_for

DOVECOT = shutil.which("dovecot") or (
    "/usr/sbin/dovecot" if Path("/usr/sbin/dovecot").exists() else None
)
PASSWORD = "right-battery-9"

_COMMON = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
auth_failure_delay = 0
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 300
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
ssl = yes
"""

_BEFORE_24 = """
mail_location = maildir:~/Maildir
disable_plaintext_auth = no
mail_max_userip_connections = {connections}
mail_plugins = acl
plugin {{
  acl = vfile
}}
passdb {{
  driver = passwd-file
  args = {base}/users
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%u
}}
ssl_cert = <{certificate}
ssl_key = <{key}
"""

_SINCE_24 = """
mail_driver = maildir
mail_path = ~/Maildir
auth_allow_cleartext = yes
mail_max_userip_connections = {connections}
mail_plugins = acl
acl_driver = vfile
passdb passwd-file {{
  passwd_file_path = {base}/users
}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {base}/mail/%{{user}}
  }}
}}
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
"""


class Dovecot:
    """One server with the accounts that a test makes.

    `PASSWORD` opens any account; another password has to be set before the start, for Dovecot looks
    for new ones only once a second.
    """

    def __init__(self, *, connections: int = 300) -> None:
        assert DOVECOT is not None
        self.base = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = make_certificates(self.base)
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.getuid())
        self._delivered = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration(connections)

    def account(self, user: str, password: str = PASSWORD) -> str:
        """Makes an account with an empty INBOX."""
        if password != PASSWORD:
            assert self._process is None
            with (self.base / "users").open("a") as users:
                users.write(f"{user}:{{PLAIN}}{password}\n")
        self.folder(user)
        return user

    def change_password(self, user: str, password: str) -> None:
        """Another password opens the account from now on, or a second later. The old one no longer does."""
        file = self.base / "users"
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{user}:")]
        fresh = file.with_name("users.new")
        fresh.write_text("".join(f"{line}\n" for line in [*kept, f"{user}:{{PLAIN}}{password}"]))
        self._own(fresh)
        fresh.replace(file)

    def folder(self, user: str, name: str = "INBOX", acl: str | None = None) -> Path:
        """Makes a folder; `acl` holds the owner's rights, such as ``lr`` for reading only."""
        maildir = self.base / "mail" / user / "Maildir"
        folder = maildir if name == "INBOX" else maildir / f".{name}"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if acl is not None:
            (folder / "dovecot-acl").write_text(f"owner {acl}\n")
        self._own(self.base / "mail" / user)
        return folder

    def deliver(
        self,
        user: str,
        headers: Mapping[str, str] | bytes,
        *,
        at: datetime,
        folder: str = "INBOX",
        flags: str = "",
        body: str = "Hello.",
    ) -> None:
        """Puts a message into a folder as if it had been received at `at`."""
        self._delivered += 1
        raw = headers if isinstance(headers, bytes) else _header_lines(headers)
        name = f"{int(at.timestamp())}.{self._delivered:06d}.tests:2,{flags}"
        path = self.folder(user, folder) / "cur" / name
        path.write_bytes(raw + b"\r\n" + body.encode() + b"\r\n")
        os.utime(path, (at.timestamp(), at.timestamp()))
        self._own(path)

    def copy(self, user: str, to: str) -> None:
        """Another account with the messages that `user` has by now, under the same UIDVALIDITY and UIDs."""
        shutil.copytree(self.base / "mail" / user, self.base / "mail" / to)
        self._own(self.base / "mail" / to)

    def start(self) -> None:
        """Starts it, and waits till it takes connections."""
        assert DOVECOT is not None
        self._own(self.base)
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            identity = {
                "user": self._owner.pw_uid,
                "group": self._owner.pw_gid,
                "extra_groups": [],
            }
        self._process = subprocess.Popen(
            [DOVECOT, "-F", "-c", str(self.base / "dovecot.conf")],
            cwd=self.base,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(self.base / "stderr.log").open("wb"),
            **identity,
        )
        wait_for(self._accepts)

    def stop(self) -> None:
        """Ends it and removes its folder."""
        if self._process is not None:
            # All of its processes at once: waiting for them to end in order takes seconds.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=20)
        shutil.rmtree(self.base, ignore_errors=True)

    def log(self) -> str:
        """What it wrote to its log."""
        path = self.base / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _accepts(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.base / "stderr.log").read_text() + self.log())
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(4) == b"* OK"
        except OSError:
            return False

    def _write_configuration(self, connections: int) -> None:
        assert DOVECOT is not None
        version = subprocess.run(
            [DOVECOT, "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[0]
        modern = tuple(map(int, version.split(".")[:2])) >= (2, 4)
        head = (
            f"dovecot_config_version = {version}\ndovecot_storage_version = {version}\n"
            if modern
            else ""
        )
        group = grp.getgrgid(self._owner.pw_gid).gr_name
        text = head + (_COMMON + (_SINCE_24 if modern else _BEFORE_24)).format(
            base=self.base,
            user=self._owner.pw_name,
            group=group,
            uid=self._owner.pw_uid,
            gid=self._owner.pw_gid,
            port=self.port,
            tls_port=self.tls_port,
            certificate=self.certificates.certificate,
            key=self.certificates.key,
            connections=connections,
            password=PASSWORD,
        )
        (self.base / "dovecot.conf").write_text(text)
        (self.base / "users").touch()

    def _own(self, path: Path) -> None:
        if os.geteuid() != 0:
            return
        for part in (path, *(path.rglob("*") if path.is_dir() else ())):
            os.chown(part, self._owner.pw_uid, self._owner.pw_gid)


def _header_lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
