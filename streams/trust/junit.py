"""Results of rule tests as JUnit XML, which every CI reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.trust.trial import Failure, Result


def report(suites: Mapping[str, Sequence[Result]]) -> bytes:
    """Return results as an XML document.

    Args:
        suites: Results by the file they are of.

    Example:
        >>> report({}).splitlines()[1]
        b'<testsuites tests="0" failures="0" />'
    """
    root = Element("testsuites", _counts([one for some in suites.values() for one in some]))
    for file, results in suites.items():
        suite = SubElement(root, "testsuite", _counts(results), name=_legal(file))
        for result in results:
            case = SubElement(suite, "testcase", name=_legal(result.name), classname=_legal(file))
            if result.failures:
                failure = SubElement(case, "failure", message=_legal(result.failures[0].where))
                failure.text = _legal("\n".join(text(one) for one in result.failures))
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def text(failure: Failure) -> str:
    """Return what an expectation wanted and what came instead, for people."""
    if not (failure.expected or failure.got):
        return failure.where
    lines = [failure.where, "  expected"]
    lines += [f"    {line}" for line in failure.expected] or ["    nothing"]
    lines.append("  got")
    lines += [f"    {line}" for line in failure.got] or ["    nothing"]
    return "\n".join(lines)


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(bool(result.failures) for result in results)
    return {"tests": str(len(results)), "failures": str(failed)}


def _legal(text: str) -> str:
    """Return text without the characters that no XML document may hold."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
