"""What people see: HTML, CSV and assets made of answers; it knows no HTTP, no Kafka.

An answer is the JSON object that the API gives to the same person. What is absent from it is not
shown: the pages decide nothing about who may see what.
"""

from streams.pages.linked import assets, manifest
from streams.pages.render import (
    HOME,
    alerts,
    course,
    operations,
    problem,
    sign_in,
    student,
    why,
)
from streams.pages.spreadsheet import alerts_csv

__all__ = [
    "HOME", "alerts", "alerts_csv", "assets", "course", "manifest", "operations", "problem",
    "sign_in", "student", "why",
]  # fmt: skip
