"""Text into tokens."""

import re
from typing import Literal, NamedTuple

from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import MAX_SOURCE_LENGTH

TokenKind = Literal["int", "double", "string", "name", "operator", "end"]

_SPACE = re.compile(r"[ \t\r\n\f]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+")
_OPERATOR = re.compile(r"&&|\|\||[=!<>]=|[-+*/%!<>?:.,()\[\]{}]")
_QUOTE = re.compile(r"([rR]?)('''|\"\"\"|'|\")")
_BYTES = re.compile(r"(?:[bB][rR]?|[rR][bB])['\"]")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2}))"
)
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Token(NamedTuple):
    """A token and where it starts and ends."""

    kind: TokenKind
    value: str | int | float
    position: int
    end: int


def tokenize(source: str) -> list[Token]:
    """All tokens of an expression, the last of kind `end`; raises `EvaluationError` where the text is none."""
    if len(source) > MAX_SOURCE_LENGTH:
        raise LimitError("too_long", f"expression is longer than {MAX_SOURCE_LENGTH} characters", 0)
    tokens: list[Token] = []
    position = 0
    while True:
        token = _next_token(source, position)
        tokens.append(token)
        if token.kind == "end":
            return tokens
        position = token.end


def find_template_end(text: str, start: int) -> int:
    """Where the `}}` stands that ends the expression at `start`: braces of maps and texts in quotes do not count."""
    depth = 0
    position = start
    while True:
        if position - start > MAX_SOURCE_LENGTH:
            raise LimitError("too_long", f"expression is longer than {MAX_SOURCE_LENGTH} characters", start)
        token = _next_token(text, position)
        if token.kind == "end":
            raise _unreadable("'{{' without its '}}'", start)
        if token.value == "}" and token.kind == "operator":
            if depth == 0 and text.startswith("}", token.end):
                return token.position
            depth -= 1
        elif token.value == "{" and token.kind == "operator":
            depth += 1
        position = token.end


def _next_token(source: str, start: int) -> Token:
    space = _SPACE.match(source, start)
    position = start if space is None else space.end()
    if position == len(source):
        return Token("end", "", position, position)
    if _BYTES.match(source, position):
        raise _unreadable("bytes do not exist here: use a string", position)
    if quote := _QUOTE.match(source, position):
        return _string(source, position, raw=bool(quote[1]), quote=quote[2], start=quote.end())
    if word := _WORD.match(source, position):
        return Token("name", word[0], position, word.end())
    if number := _NUMBER.match(source, position):
        return _number(source, number)
    if operator := _OPERATOR.match(source, position):
        return Token("operator", operator[0], position, operator.end())
    if source[position] in "=&|":
        raise _unreadable(f"a single {source[position]!r}: write '{source[position] * 2}'", position)
    raise _unreadable(f"unexpected {source[position]!r}", position)


def _number(source: str, found: re.Match[str]) -> Token:
    text, position, end = found[0], found.start(), found.end()
    follower = _WORD.match(source, end)
    if follower and follower[0] in ("u", "U"):
        raise _unreadable("unsigned integers do not exist here: leave the 'u' away", end)
    if follower:
        raise _unreadable(f"unexpected {follower[0][:20]!r} after a number", end)
    if text[:2] in ("0x", "0X"):
        return Token("int", int(text, 16), position, end)
    if text.isdigit():
        return Token("int", int(text), position, end)
    value = float(text)
    if value == float("inf"):
        raise _unreadable("the number is too large", position)
    return Token("double", value, position, end)


def _string(source: str, position: int, *, raw: bool, quote: str, start: int) -> Token:
    parts: list[str] = []
    cursor = start
    while not source.startswith(quote, cursor):
        if cursor >= len(source) or cursor - position > MAX_SOURCE_LENGTH:
            raise _unreadable("a text without its closing quote", position)
        character = source[cursor]
        if character == "\\" and not raw:
            text, cursor = _escape(source, cursor)
            parts.append(text)
            continue
        if character in "\r\n" and len(quote) == 1:
            raise _unreadable("a text without its closing quote", position)
        parts.append(character)
        cursor += 1
    return Token("string", "".join(parts), position, cursor + len(quote))


def _escape(source: str, cursor: int) -> tuple[str, int]:
    found = _ESCAPE.match(source, cursor)
    if found is None:
        raise _unreadable(f"unknown escape {source[cursor : cursor + 2]!r}", cursor)
    simple, byte, short, long, octal = found.groups()
    if simple:
        return _SIMPLE_ESCAPES.get(simple, simple), found.end()
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    if code > _LAST_CODE_POINT or code in _SURROGATES:
        raise _unreadable(f"{found[0]!r} is no character", cursor)
    return chr(code), found.end()


def _unreadable(message: str, position: int) -> EvaluationError:
    return EvaluationError("expression_syntax", message, position)
