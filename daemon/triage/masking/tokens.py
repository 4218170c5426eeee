"""Masking of keys and tokens that are known by their own shape, wherever they stand."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error

from daemon.triage.masking.masker import MASK, START, Masker, after_prefix, shape, when_opaque

_PREFIXES = (
    # Amazon: ids of keys and principals, session tokens, Bedrock
    r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)(?=[0-9A-Z]{12})",
    r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)(?=[\w+/=-]{20})",
    r"ABSK(?=[A-Za-z0-9+/]{60})",
    # Google, Azure, DigitalOcean, Alibaba, Tencent
    r"AIza(?=[\w-]{8})",
    r"ya29\.",
    r"GOCSPX-",
    r"1//0(?=[\w-]{20})",
    r"do[opr]_v1_",
    r"LTAI(?=[A-Za-z0-9]{12})",
    # Code hosting and packages
    r"gh[pousr]_",
    r"github_pat_",
    r"gl(?:pat|dt|rt|soat|cbt|ptt|ft|imt|agent|oas)-",
    r"ATATT3xF",
    r"ATBB(?=\w{20})",
    r"ATCTT3xF",
    r"npm_(?=\w{20})",
    r"pypi-(?=[\w-]{16})",
    r"rubygems_(?=[0-9a-f]{16})",
    r"oy2(?=[a-z0-9]{40})",
    r"dckr_(?:pat|oat)_",
    r"CCIPAT_",
    r"bkua_",
    r"cio(?=[A-Za-z0-9]{30})",
    # Chat, mail, payment, shops
    r"xox[a-z](?:\.xox[a-z])?-",
    r"xapp-",
    r"SG\.(?=[\w-]{12})",
    r"xkeysib-",
    r"key-(?=[0-9a-f]{24})",
    r"SK(?=[0-9a-f]{32}(?![0-9a-f]))",
    r"[srp]k_(?:live|test)_",
    r"whsec_",
    r"shp(?:at|ca|pa|ss|tka)_",
    r"sq0[a-z]{3}-",
    r"EAAA(?=[\w-]{50})",
    r"EAAC(?=[A-Za-z0-9]{20})",
    r"access_token\$(?:production|sandbox)\$",
    # Models
    r"sk-(?=[\w-]{12})",
    r"hf_(?=\w{16})",
    r"gsk_(?=\w{20})",
    r"r8_(?=\w{20})",
    r"xai-(?=\w{20})",
    r"pplx-(?=\w{20})",
    r"lsv2_(?=\w{10})",
    # Operations and data
    r"hv[sbr]\.(?=[\w-]{12})",
    r"dapi(?=[0-9a-f]{32})",
    r"dp\.(?:pt|st|ct|sa)\.",
    r"pscale_(?:tkn|oauth|pw)_",
    r"gl(?:sa|c)_(?=[\w+/=]{16})",
    r"sntry[su]_",
    r"NRAK-(?=[A-Z0-9]{20})",
    r"PMAK-(?=[0-9a-f]{20})",
    r"lin_(?:api|oauth)_",
    r"ntn_(?=\w{20})",
    r"figd_",
    r"tskey-",
    r"sbp_(?=[0-9a-f]{20})",
    r"nfp_(?=\w{20})",
    r"pul-(?=[0-9a-f]{20})",
    r"HRKU-",
    r"pat(?=[A-Za-z0-9]{14}\.[0-9a-f]{32})",
    r"AGE-SECRET-KEY-1",
    r"trg_(?=[0-9A-Za-z]{12})",  # our own
    r"eyJ(?=[\w-]{8})",
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3}|sk-ssh-ed25519@openssh\.com) (?=AAAA)",
)
_CUES = (
    "(AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[0-9A-Z*]|IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|ABSK|AIza|ya29[.]|GOCSPX-"
    "|1//0|do[opr]_v1_|LTAI|gh[pousr]_|github_pat_|gl(pat|dt|rt|soat|cbt|ptt|ft|imt|agent|oas)-|ATATT3xF|ATBB"
    "|ATCTT3xF|npm_|pypi-|rubygems_|oy2|dckr_|CCIPAT_|bkua_|cio[A-Za-z0-9]{8}|xox[a-z][-.]|xapp-|SG[.]|xkeysib-|key-[0-9a-f]"
    "|SK[0-9a-f]{32}|[srp]k_(live|test)_|whsec_|shp[a-z]+_|sq0[a-z]{3}-|EAA[AC]|access_token[$]|sk-|hf_|gsk_"
    "|r8_|xai-|pplx-|lsv2_|hv[sbr][.]|dapi[0-9a-f]|dp[.](pt|st|ct|sa)[.]|pscale_|gl(sa|c)_|sntry[su]_|NRAK-|PMAK-"
    "|lin_(api|oauth)_|ntn_|figd_|tskey-|sbp_|nfp_|pul-|HRKU-|pat[A-Za-z0-9]{14}[.]|AGE-SECRET-KEY|trg_|eyJ|ssh-|ecdsa-sha2"
)
_SASL_PLAIN = re.compile(rf"{START}(?<![+/])AG[A-Za-z0-9+/_-]{{6,512}}+={{0,2}}(?!\w)")
_BASE64_ENDS = 4


def _sasl_plain(match: re.Match[str]) -> str:
    """Base64 of two NULs with something printable after each."""
    padded = match[0].rstrip("=")
    padded += "=" * (-len(padded) % _BASE64_ENDS)
    try:
        parts = b64decode(padded, altchars=b"-_" if "-" in padded or "_" in padded else None)
        words = parts.decode().split("\0")
    except (Error, ValueError):
        return match[0]
    told = len(words) == 3 and all(word.isprintable() for word in words) and words[1] and words[2]
    return MASK if told else match[0]


_KNOWN = re.compile(rf"{START}((?:{'|'.join(_PREFIXES)}))(?:[\w.~+/=-]|%(?:2[BFDbfd]|3[Dd]))++")

TOKENS = (
    # A private key is masked to its end, or to the text's where the end is missing.
    shape(
        "-----BEGIN",
        r"(-----BEGIN(?:[A-Z0-9 +]|%20){1,60}?PRIVATE(?:[ +]|%20)KEY(?:(?:[ +]|%20)BLOCK)?-----)(?!\*\*\*)(?:(?!-----END).)*+"
        r"(?:-----END(?:[A-Z0-9 +]|%20){1,60}-----)?",
    ),
    shape(
        "Private-Lines:", r"(Private-Lines: {0,4}\d{1,6})(?!\*\*\*)(?:(?!Private-MAC).){1,65536}+"
    ),
    Masker(_CUES, lambda text: _KNOWN.sub(after_prefix, text)),
    # Without a name of their own: Telegram, Discord, Azure, Terraform, Mailchimp, storage keys.
    shape(
        r"[0-9]{8,10}:AA|[MNO][\w-]{23,27}[.]|[0-9]Q~|[.]atlasv1[.]|[0-9a-f]{32}-us[0-9]|[A-Za-z0-9+/]{86}==",
        rf"{START}(?<![+/.-])()(?:\d{{8,10}}:AA[\w-]{{30,40}}(?![\w-])|[MNO][\w-]{{23,27}}\.[\w-]{{6,7}}\.[\w-]{{27,45}}"
        r"|[\w.~]{3}\dQ~[\w.~-]{31,34}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{32,128}+|[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"
        r"|[A-Za-z0-9+/]{86}==)",
    ),
    shape(
        "(?i)(bearer|basic|negotiate|ntlm)(%20|[ +]|\\\\?[rnt])+[a-z0-9._~+/=-]{6}",
        r"((?i:\bbearer|\bbasic|\bnegotiate|\bntlm)(?:%20|[ +]|\s){1,4})(?!(?i:realm|error|scope|charset|service|[a-z_]{1,32}uri|error_description)=)([\w.~+/=-]{6,}+)",
        when_opaque,
    ),
    shape("dXNlcj", rf"{START}(?<![+/])()dXNlcj[0-9A-Za-z+/]{{16,}}+={{0,2}}"),
    Masker("AG[A-Za-z0-9+/_-]{6}", lambda text: _SASL_PLAIN.sub(_sasl_plain, text)),
    shape(
        "(?i)(token|signature|cookie|jwt|secret)s?:? +[\"'(]?[a-z0-9._~+/=-]{12}|key +[\"'(]?[a-z0-9+=_-]{16}",
        r"(\b(?i:token|signature|cookie|jwt|secret|(?:api|access|secret|private|account|auth|signing|license)[ _-]key)s?"
        r":? {1,4}[\"'(]?)([\w.~+/=-]{12,}+)",
        when_opaque,
    ),
)
