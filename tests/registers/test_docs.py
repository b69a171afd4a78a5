"""What the pages say is true: routes, row fields, metrics, commands, paths and targets exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from streams import doctor
from streams.cli import cli
from streams.metrics import Metrics
from streams.web.routes import ROUTES
from streams.web.row_fields import ROW_FIELDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def metric_lines() -> list[str]:
    """Return the table of docs/metrics.md as the code has it."""
    lines = []
    for metric in vars(Metrics()).values():
        if hasattr(metric, "_documentation"):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            labels = " ".join(f"`{label}`" for label in metric._labelnames) or "-"
            lines.append(f"| `{name}` | {labels} | {metric._documentation} |")
    return lines


def test_every_metric_is_documented_with_its_meaning() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text().splitlines()

    assert [line for line in page if line.startswith("| `")] == metric_lines()


def test_every_row_field_and_route_is_documented() -> None:
    page = (ROOT / "docs" / "web-views.md").read_text()

    assert [field for field in ROW_FIELDS if f"`{field}`" not in page] == []
    assert [one for one in ROUTES if f"`{one.method} {one.path}` | {one.right} |" not in page] == []


def test_every_check_of_the_doctor_is_documented() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text()

    assert re.findall(r"^\| ([\w -]+) \| ", page, re.MULTILINE)[1:] == [
        check.name for check in doctor.CHECKS
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_names_exists(page: Path) -> None:
    for words in re.findall(r"gradewatch ((?:[a-z]+(?:-[a-z]+)* ?)+)", page.read_text()):
        command: click.Command = cli
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"gradewatch {words}"
            command = found


def test_every_make_target_the_readme_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(re.findall(r"make ([a-z-]+)", README)) - {"the"} <= set(targets)


def test_every_path_the_readme_names_exists() -> None:
    table = README.split("## Where things live")[1].split("## ")[0]
    paths = [name for name in re.findall(r"`([a-z_./]+)`", table) if "." in name or "/" in name]

    assert paths
    for name in paths:
        assert any((ROOT / start / name).exists() for start in ("", "streams", "tests")), name


def test_the_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= 70


def test_the_flow_in_the_readme_is_the_packages_own() -> None:
    import streams  # noqa: PLC0415 - only its docstring

    assert streams.__doc__ is not None
    assert streams.__doc__.split("\n\n", 1)[1].strip() in README
