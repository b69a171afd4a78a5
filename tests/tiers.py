"""Which tier of the tests last passed on which tree: ``make tiers``.

A tier's record is ``.tiers/<tier>``: the hash of the git tree that it passed on, uncommitted and
new files included, git-ignored ones not. It is written only where the whole tier passed and the
tree was the same before and after. The Makefile calls ``start`` and ``passed``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

TIERS: Final = ("test-unit", "test", "test-crash", "test-containers")
ROOT: Final = Path(__file__).parents[1]


def tree(root: Path = ROOT) -> str:
    """Return the hash of the git tree that a commit of everything would have; "" without git.

    Its index is a temporary one: what is staged stays as it is.
    """
    with tempfile.TemporaryDirectory(prefix="gradewatch-tree-") as scratch:
        git = ["env", f"GIT_INDEX_FILE={scratch}/index", "git", "-C", str(root)]
        for words in (["add", "--all"], ["write-tree"]):
            try:
                done = subprocess.run([*git, *words], capture_output=True, text=True, check=True)
            except (OSError, subprocess.CalledProcessError):
                return ""
    return done.stdout.strip()


def start(tier: str, root: Path = ROOT) -> None:
    """Remember the tree that a tier is about to run on."""
    (root / ".tiers").mkdir(exist_ok=True)
    _begun(tier, root).write_text(tree(root))


def passed(tier: str, begun: str | None = None, root: Path = ROOT) -> str:
    """Record that a whole tier passed on this tree.

    Args:
        tier: One of ``TIERS``.
        begun: The tree before it ran; None: the one that ``start`` remembered.
        root: The work tree.

    Returns:
        What was recorded, or why nothing was, in one sentence.
    """
    if begun is None:
        begun = _begun(tier, root).read_text() if _begun(tier, root).exists() else ""
    _begun(tier, root).unlink(missing_ok=True)
    now = tree(root)
    if not now or not begun:
        return f"{tier}: passed; not recorded, as there is no git work tree"
    if now != begun:
        return f"{tier}: passed; not recorded, as files changed while it ran"
    (root / ".tiers").mkdir(exist_ok=True)
    (root / ".tiers" / tier).write_text(f"{now}\n")
    return f"{tier}: passed on this tree, {now}"


def report(root: Path = ROOT) -> list[str]:
    """Return one line a tier: whether it passed on this tree."""
    now, lines = tree(root), []
    for tier in TIERS:
        record = root / ".tiers" / tier
        last = record.read_text().strip() if record.exists() else ""
        if not last:
            lines.append(f"{tier}: stale: never passed here")
        elif last == now:
            lines.append(f"{tier}: passed on this tree")
        else:
            lines.append(f"{tier}: stale: last passed on tree {last[:12]}, this is {now[:12]}")
    return lines


def _begun(tier: str, root: Path) -> Path:
    return root / ".tiers" / f"{tier}.begun"


def main(words: list[str]) -> int:
    """Carry out ``start TIER``, ``passed TIER [ARGS]`` or, without words, ``report``; return 0."""
    match words:
        case ["start", tier]:
            start(tier)
        case ["passed", tier]:
            print(passed(tier))  # noqa: T201 - a command
        case ["passed", tier, *_]:  # what was named on the command line is not the whole tier
            _begun(tier, ROOT).unlink(missing_ok=True)
        case _:
            print("\n".join(report()))  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
