"""A JSON value as YAML that people read and keep under version control."""

import re
from typing import Any, Final

import yaml

_DUMPER: Final[type[Any]] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# A block shows a text of several lines as it is; what looks the same and is not stays in quotes.
_LINE = r"[!-~\u00a1-\u00ac\u00ae-\u024f][ -~\u00a1-\u00ac\u00ae-\u024f]*"
# Where one line ends and the next begins can be read in one way alone: anything else would be tried in all its ways.
_BLOCK = re.compile(rf"{_LINE}(?:\n+{_LINE})*\n*")


class _Dumper(_DUMPER):  # type: ignore[misc]  # which of the two it is, is known at run time only
    """Writes everything out, without anchors, and puts what any reader could take for something else in quotes."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Nothing is shared."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    is_block = "\n" in text.rstrip("\n") and " \n" not in text and _BLOCK.fullmatch(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _represent_text)
# PyYAML knows the rules of YAML 1.1; by those of 1.2, and ours, these are numbers as well.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9]++\.?[0-9]*+|\.[0-9]*+)?[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?0o[0-7]+$|[-+]?[0-9]+$"), list("-+0123456789"))


def write_document(value: Any) -> bytes:
    """The value as one YAML document; keys stay in their order, and reading it gives the value again."""
    text: bytes = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=-1, encoding="utf-8"
    )
    return text
