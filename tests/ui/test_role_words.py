"""The page of members tells of each permission which roles hold it, as the API has it."""

import re

import pytest

from app.auth.permissions import PERMISSIONS, Permission, Role
from cli.ui_toolchain import UI

pytestmark = pytest.mark.without_faults("no database is looked at")

_TOLD = (UI / "src" / "pages" / "members" / "permissions.ts").read_text()
_LINE = re.compile(r'^  "([\w:]+)": \{ may: "[^"]+", from: "(\w+)" \},$', re.MULTILINE)


def test_each_permission_is_told_with_the_weakest_role_that_holds_it() -> None:
    weakest_first = tuple(reversed(Role))
    expected = {
        permission.value: next(role.value for role in weakest_first if permission in PERMISSIONS[role])
        for permission in Permission
    }
    assert dict(_LINE.findall(_TOLD)) == expected


def test_every_role_holds_what_the_weaker_ones_do() -> None:
    for stronger, weaker in zip(Role, tuple(Role)[1:], strict=False):
        assert PERMISSIONS[stronger] > PERMISSIONS[weaker], f"the page says so of {stronger}"
