"""``make screenshots``: the pictures of the README, made of the demo as it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request, urlopen

from playwright.sync_api import sync_playwright

from streams.broker import jar_directory
from streams.settings import environment, load
from tests.browser.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
WIDE: Final = {"width": 1400, "height": 860}
WORK: Final[tuple[dict[str, Any], ...]] = (
    {"state": "contacted", "note": "Wrote on Friday; office hour on Tuesday."},
    {"state": "seen"},
    {"state": "closed", "note": "The gradebook was rearranged.", "wrong": True},
)
"""What somebody does about the first alerts, so that there is something to see."""


def asked(url: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return an answer of the API."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data=data), timeout=10) as answer:  # noqa: S310 - the demo's own
        return json.load(answer)


def demo(folder: str) -> Iterator[str]:
    """Yield where the demo's pages are, once there is something on them."""
    chosen = load()
    jars = jar_directory(chosen.data_dir)
    data = Path(folder)
    (data / jars.name).symlink_to(jars)
    told = environment(chosen) | {
        "GRADEWATCH_DATA_DIR": str(data), "GRADEWATCH_CANVAS_URL": "https://canvas.example.edu",
    }  # fmt: skip
    command = [sys.executable, "-m", "streams", "demo"]
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("look at it: "):
                yield line.split()[3].rstrip("/;")
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()


def is_worked(status: Any) -> bool:  # noqa: ANN401 - JSON
    """Tell whether the semester so far is scored."""
    fates = status["fates"]
    done = sum(fates.get("scoring", {}).values())
    return bool(done > 17_200 and sum(each["records"] for each in status["lag"]) < 50)


def main() -> None:
    """Make the pictures."""
    found, why_not = chromium()
    if found is None:
        sys.exit(why_not)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for url in demo(folder):
            api = f"{url}/api/v1"
            while not is_worked(asked(f"{api}/status")):
                time.sleep(0.5)
            alerts = asked(f"{api}/alerts?state=firing&kind=score_drop")["alerts"]
            for alert, done in zip(alerts[1:], WORK, strict=False):
                asked(f"{api}/alerts/{alert['alert_id']}/actions", done)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
                context = browser.new_context(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
                page = context.new_page()
                for name, path in (
                    ("alerts", "/alerts?state=firing&kind=score_drop"),
                    ("student", f"/students/{alerts[1]['student_id']}"),
                ):
                    page.goto(url + path)
                    page.screenshot(path=PICTURES / f"{name}.png")
                    print(f"made docs/pictures/{name}.png")  # noqa: T201 - it is a command
                browser.close()


if __name__ == "__main__":
    main()
