"""What holds for every endpoint stands in the schema of each."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

HEADER = "Idempotency-Key"
PROBLEM = {
    "type": "object",
    "description": "An RFC 9457 problem.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "A word for programs."},
        "errors": {
            "type": "object",
            "description": "Messages by the name of the field.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status"],
}


class SystemSchema(AutoSchema):
    """`Idempotency-Key` on every POST, a problem for whatever else comes back."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "POST":
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    str,
                    OpenApiParameter.HEADER,
                    description="A word of your own. The same request with the same word is done once, "
                    "and answered the same for 24 hours.",
                )
            )
        return parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        content = {"application/problem+json": {"schema": PROBLEM}}
        bodies.setdefault("default", {"content": content, "description": "What went wrong."})
        return bodies
