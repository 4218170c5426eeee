"""Masking of credentials that a URL holds before its host or in its path."""

from __future__ import annotations

from daemon.triage.masking.masker import shape

URLS = (
    # A password may itself hold "/", "@" or "#". A port is none.
    shape(
        r":\\*/\\*/[^ ]*@",
        r"(:\\{0,8}/\\{0,8}/)(?:[^\s\"'<>/?#@:]{0,256}:(?!\d{1,5}(?![^/?#\s]))[^\s\"'<>]{0,512}"
        r"|[^\s\"'<>/?#]{0,512})(?<!/\*\*\*)(?=@)",
    ),
    shape(
        "(?i)%(25)*3A%(25)*2F%(25)*2F[^ ]*(%(25)*40|@)",
        r"((?i:%(?:25){0,3}3A(?:%(?:25){0,3}2F){2}))[^\s\"'<>/&=]{1,512}?(?<!F\*\*\*)(?=@|%(?:25){0,3}40)",
    ),
    # The same without a scheme; a port after the host leaves no doubt.
    shape(
        ":[^ ]*@[^ ]+:[0-9]",
        r"(?<![\w/.:@-])()[\w.+-]{1,64}:[^\s:@/\"'<>]{3,128}(?=@[\w.-]{1,255}:\d{2,5}(?!\d))",
    ),
    shape("jdbc:oracle", r"(jdbc:oracle:\w{1,16}:)[^\s/@\"']{1,128}/(?:[^\s\"']{1,256})(?=@)"),
    # Gmail's link of a web login signs in whoever opens it.
    shape("(?i)webalert", r"(\[(?i:WEBALERT) )(?!\*\*\*)[^\s\]]++"),
    shape(
        r"(?i)hooks[.]slack|/bot[0-9]|/webhooks?/|webhook[.]office|hooks[.]zapier|/webhookb2/|sentry[.]io",
        r"((?i:hooks\.slack\.com/(?:services|workflows|triggers)/|/bot(?=\d)|/webhooks?/(?=[^\s/]{0,64}\d)"
        r"|hooks\.zapier\.com/hooks/catch/|/webhookb2/))[^\s\"'<>]++",
    ),
)
