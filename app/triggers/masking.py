"""What is masked of payloads that people are shown: what has the name of a secret, and what looks like one.

A payload is somebody else's: nobody knows its secrets, so that they can only be told by their names and by their form.
"""

import re
from functools import lru_cache
from typing import Any, Final

MASK: Final = "***"
_LONGEST_NAME: Final = 256

_SECRET_NAME: Final = re.compile(
    r"authorization|passw(or)?d|passphrase|passcode|pwd|secret|token|cookie|credential|signature|bearer|jwt"
    r"|(api|private|access|auth|session|signing|encryption|subscription|functions|account|master|client)[_-]?key"
    r"|session[_-]?id|card[_-]?number"
    # Short ones stand in other words as well: "shipping", "design", "pass_through".
    r"|(?<![a-z])((sig|hmac|otp|totp|pin|cvv|cvc)(?![a-z])|(pass|auth|sign)$)",
    re.IGNORECASE,
)
# A name with its value in a form, an address or a text: `token=abc`, `"password": "abc"`. Words are looked at whole and
# once, however long they are.
_NAME: Final = re.compile(r"(?<![\w.%-])(?P<name>[\w.-]{2,64}+)\\?[\"']?\s*+[=:]\s*+")
_VALUE: Final = re.compile(r"(?P<mark>\\?\")[^\"\\]++|(?P<tick>\\?')[^'\\]++|[^\s&\"',;<>{}\[\]\\]++")
# What looks like a secret wherever it stands, and what a text has that has one: mostly there is none.
_FORMS: Final = (
    # A JSON Web Token, be it signed or not.
    (("eyJ",), re.compile(r"\beyJ[\w-]{10,}+(?:\.[\w-]*+)*+")),
    # A line of a request.
    (
        ("ookie:", "OOKIE:", "ization:", "IZATION:"),
        re.compile(r"(?<=cookie:)[^\r\n]++|(?<=authorization:)[^\r\n]++", re.IGNORECASE),
    ),
    # What stands in `Authorization`, wherever a proxy or a program has put it.
    (
        ("asic ", "ASIC ", "earer ", "EARER "),
        re.compile(r"(?<=\bBasic )[\w+/=-]{6,}+|(?<=\bBearer )[\w.~+/=-]{6,}+", re.IGNORECASE),
    ),
    # The password of an address.
    (("://",), re.compile(r"(?<=://)[^\s/@:]{0,256}+:[^\s/@]{1,256}+(?=@)")),
    # Keys that say by their beginning whose they are.
    (
        ("ff_", "gh", "glpat-", "xox", "k_live_", "k_test_", "whsec_", "AKIA", "ya29.", "npm_"),
        re.compile(
            r"\b(?:ff_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[prs]k_(?:live|test)_|whsec_|AKIA|ya29\.|npm_)[\w.+/=-]{8,}+"
        ),
    ),
    (
        ("PRIVATE KEY-----",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]*PRIVATE KEY-----)?+"),
    ),
)


def mask(value: Any) -> Any:
    """The JSON value with secrets masked: what stands under the name of one, and what looks like one."""
    match value:
        case dict():
            return {mask_text(name): _mask_named(name, inner) for name, inner in value.items()}
        case list():
            return [mask(inner) for inner in value]
        case str():
            return mask_text(value)
        case _:
            return value


def mask_text(text: str) -> str:
    """The text with what looks like a secret masked."""
    for hints, form in _FORMS:
        if any(hint in text for hint in hints):
            text = form.sub(MASK, text)
    return _mask_pairs(text) if "=" in text or ":" in text else text


def take_beginning(value: Any, size: int) -> Any:
    """The first fields, items and characters of a JSON value, about so many characters in all."""
    return _Beginning(size).take(value)


class _Beginning:
    """Takes parts of a value until there are enough of them."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, value: Any) -> Any:
        """The part of a value that there is room for."""
        match value:
            case dict():
                taken: dict[str, Any] = {}
                for name, inner in value.items():
                    if self._left <= 0:
                        break
                    beginning = self.take(name)
                    taken[beginning] = self.take(inner)
                return taken
            case list():
                items: list[Any] = []
                for inner in value:
                    if self._left <= 0:
                        break
                    items.append(self.take(inner))
                return items
            case str():
                text = value[: max(self._left, 0)]
                self._left -= len(text)
                return text
            case _:
                self._left -= 1
                return value


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret; payloads have few names, and those again and again."""
    return _SECRET_NAME.search(name) is not None


def _mask_named(name: str, value: Any) -> Any:
    # That there is none is no secret.
    is_secret = not isinstance(value, bool | None) and is_secret_name(name[:_LONGEST_NAME])
    return MASK if is_secret else mask(value)


def _mask_pairs(text: str) -> str:
    """The text without the values of names of secrets; the marks around a value stay, as JSON has them."""
    parts: list[str] = []
    end = 0
    for found in _NAME.finditer(text):
        if found.start() < end or not is_secret_name(found["name"]):
            continue
        if value := _VALUE.match(text, found.end()):
            parts += [text[end : found.end()], value["mark"] or value["tick"] or "", MASK]
            end = value.end()
    return "".join([*parts, text[end:]])
