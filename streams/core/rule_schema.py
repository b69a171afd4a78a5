"""The JSON Schema of rules.yaml, for editors; generated from the model, published with the docs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema

from streams.core.durations import in_words
from streams.core.rules import Rules

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DIGITS: Final = r"^[0-9]+(\.[0-9]+)?$"


class _Written(GenerateJsonSchema):
    """Says what may be written: no null, durations with their unit."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        said = super().default_schema(schema)
        if said.get("default") is None:
            said.pop("default", None)
        elif said.get("type") == "string" and isinstance(said["default"], int):
            said["default"] = in_words(said["default"])
        return said

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        number, _ = super().decimal_schema(schema)["anyOf"]
        return {"anyOf": [number, {"type": "string", "pattern": _DIGITS}]}


def schema() -> str:
    """Return the schema as JSON text, draft 2020-12, two spaces a level, a line break at its end.

    What it accepts and `load` does not needs more than one field to be known: ids given twice,
    severities that cannot be reached.
    """
    said: dict[str, Any] = Rules.model_json_schema(schema_generator=_Written)
    # OpenAPI's own word, unknown to JSON Schema; each kind's `const` says the same.
    said["properties"]["rules"]["items"].pop("discriminator", None)
    said["title"] = "Gradewatch's rules.yaml"
    return json.dumps({"$schema": DIALECT, **said}, indent=2, ensure_ascii=False) + "\n"
