"""What to do first about a source that fails, by the category of its failure."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.taxonomy import CATEGORIES, Category

ADVICE: dict[Category, str] = {
    Category.AUTHENTICATION: "Correct the credentials of the source. The next cycle takes them up from "
    "a file or the API; those of the environment need a restart. Until then it is not tried again, because "
    "repeated attempts lock accounts.",
    Category.PERMISSION: "Give the identity of the source the rights that the failure names.",
    Category.ACCOUNT_NOT_FOUND: "Look at the name in the failure: correct it, or create what it names.",
    Category.CONFIGURATION: "Correct the setting that the failure names; check with triaged check-config.",
    Category.CONNECTION: "Check that the host is reachable from the daemon: name, port, firewall, certificate.",
    Category.RATE_LIMIT: "Lengthen the interval or ask for a larger quota; retries wait by themselves.",
    Category.SERVICE_UNAVAILABLE: "Look at the status page of the service; retries go on by themselves.",
    Category.REJECTED: "Read what the service answered in the failure, and correct the request or its data.",
    Category.DATA_MALFORMED: "Ask for the input again, or correct it: it cannot be parsed.",
    Category.SCHEMA_MISMATCH: "Compare the fields of the input with the configuration, and change one of them.",
    Category.VALIDATION: "Look at the values that the failure names, and correct them at their origin.",
    Category.WRITE_FAILURE: "Check space and rights where the output goes.",
    Category.RESOURCE: "Give the process more memory, files or time, or make the input smaller.",
    Category.QUALITY_ISSUE: "Ask for a better input; the failure says what is wrong with it.",
    Category.UNKNOWN: "Read the message, and write a rule for it: triaged unclassified proposes one.",
}


def advice_by_category(categories: Iterable[Category]) -> str:
    """A template that gives the advice for the label `category`."""
    return _choose({category: ADVICE[category] for category in categories})


def cause_by_category(categories: Iterable[Category]) -> str:
    """A template that tells what the label `category` means."""
    return _choose({category: CATEGORIES[category].meaning for category in categories})


def _choose(texts: dict[Category, str]) -> str:
    conditions = (
        f'if eq $labels.category "{category}" }}}}{text}' for category, text in texts.items()
    )
    return "{{ " + "{{ else ".join(conditions) + "{{ end }}"
