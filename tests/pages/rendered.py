"""Every page of every role, made of the samples; ``python -m tests.pages.rendered FOLDER`` writes
them for looking."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import sys
from pathlib import Path

from streams import pages
from tests.pages import samples


def every_page() -> dict[str, str]:
    """Return each page by its name, such as ``alerts-advisor``."""
    made = dict[str, str]()
    for role in samples.ROLES:
        me = samples.me(role)
        query = {"state": "firing"} if role != "operator" else {}
        made[f"alerts-{role}"] = pages.alerts(samples.alerts(role), query, me, samples.CANVAS)
        made[f"why-{role}"] = pages.why(samples.detail(role), me, samples.CANVAS)
        if "scores" in me["rights"]:
            made[f"student-{role}"] = pages.student(samples.student(role), me, samples.CANVAS)
        if "scores" in me["rights"] and role != "student":
            course = samples.course(role)
            made[f"course-{role}"] = pages.course(course, me, {}, samples.CANVAS)
        if "operate" in me["rights"]:
            made[f"operations-{role}"] = pages.operations(
                samples.status(), samples.refused(), samples.rules(), me
            )
    ada = samples.me("advisor")
    made["alerts-none"] = pages.alerts({"alerts": [], "total": 0}, {"kind": "score_drop"}, ada)
    made["course-few"] = pages.course(samples.course("advisor", 4), ada)
    made["sign-in"] = pages.sign_in()
    made["sign-in-again"] = pages.sign_in("The token is not known, or has expired.")
    made["problem-403"] = pages.problem(
        403, "Not yours to see", "Ask whoever assigns students to advisors.", ada
    )
    made["problem-404"] = pages.problem(404, "No such alert", "It may have been forgotten.", ada)
    made["problem-503"] = pages.problem(
        503, "Not ready yet", "Scores are being restored. Try again in 10 seconds."
    )
    return made


def write(folder: Path) -> None:
    """The pages stand in a folder as files that a browser opens without a server."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for name, (_, content) in pages.assets().items():
        (folder / "assets" / name).write_bytes(content)
    for name, text in every_page().items():
        (folder / f"{name}.html").write_text(text.replace('"/assets/', '"assets/'))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
