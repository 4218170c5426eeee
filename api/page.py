"""The page at the root: what there is to open. Static, without scripts."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from litestar import Response

from api.description import Content
from api.routes import reads

_HTML = Path(__file__).with_name("web").joinpath("index.html").read_text("utf-8")


def _policy(html: str) -> str:
    """A Content-Security-Policy that allows the page's own style, by its hash, and nothing else."""
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    hashes = (b64encode(sha256(style.encode()).digest()).decode() for style in styles)
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    return f"default-src 'none'; style-src {allowed}; frame-ancestors 'none'; base-uri 'none'"


_HEADERS = {"content-security-policy": _policy(_HTML)}


@reads(
    "/",
    tags=["daemon"],
    summary="The page",
    operation_id="getPage",
    content=Content(str, "HTML.", "text/html"),
)
def index() -> Response[str]:
    """Links to what there is to open."""
    return Response(_HTML, media_type="text/html", headers=_HEADERS)
