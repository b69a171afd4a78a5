"""What docs/access.md says of roles is what the code grants; nothing answers without a right."""

from __future__ import annotations

import re

from streams.access.roles import EYES, RIGHTS, Eyes, Right, Role
from streams.web.routes import ROUTES
from tests.on_dicts import ROOT

PAGE = (ROOT / "docs" / "access.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a table of a section."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_role_may_what_its_page_says() -> None:
    told = {role: set(rights.split(", ")) for role, _, rights in rows("Roles")[2:]}

    assert told == {
        role.value: {right.value for right in RIGHTS[role] if right is not Right.PUBLIC}
        for role in Role
    }


def test_every_role_is_shown_the_fields_its_page_says() -> None:
    heading, _, *told = rows("Fields")
    for index, role in enumerate(heading[1:], 1):
        assert Eyes(*(row[index] == "yes" for row in told)) == EYES[Role(role)], role


def test_what_needs_no_right_is_said() -> None:
    """Default deny: what is open to anybody stands here, by name, and nothing else is."""
    assert {route.path for route in ROUTES if route.right is Right.PUBLIC} == {
        "/livez", "/readyz", "/sign-in", "/sign-out", "/assets/{name}",
    }  # fmt: skip


def test_no_other_way_leads_to_a_handler() -> None:
    """Handlers are added by one loop over `ROUTES`, each behind the gate."""
    adding = [
        (path.name, line.strip())
        for path in (ROOT / "streams").rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\.add_(route|get|post|view|static|resource)\(", line)
    ]

    assert adding == [
        ("server.py", "app.router.add_route(route.method, route.path, handler)"),
        ("server.py", 'app.router.add_route("HEAD", route.path, handler)'),
    ]
