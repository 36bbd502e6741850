"""What `/spec` says of the server: its API in OpenAPI's terms."""

from __future__ import annotations

from typing import Any

from seq2seq import __version__
from seq2seq.serving.limits import Limits
from seq2seq.serving.models import Pairs


def openapi(pairs: Pairs, limits: Limits) -> dict[str, Any]:
    """The description of one server, with its languages and limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "seq2seq",
            "version": __version__,
            "description": "Machine translation; the wire format is LibreTranslate's.",
        },
        "paths": {
            "/translate": {"post": _translate(pairs, limits)},
            "/languages": {"get": _get("The languages, and what each is translated to", _LANGUAGES)},
            "/frontend/settings": {"get": _get("What a page has to know", {"type": "object"})},
            "/health": {"get": _get("Whether the server is well", _object({"status": {"const": "ok"}}, ["status"]))},
            "/spec": {"get": _get("This description", {"type": "object"})},
            "/metrics": {
                "get": {
                    "summary": "Counts for Prometheus",
                    "responses": {"200": {"description": "text", "content": {"text/plain": {}}}},
                }
            },
        },
        "components": {"schemas": {"Error": _object({"error": {"type": "string"}}, ["error"])}},
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _each(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a text; or of each, where `q` is a list."""
    return {"anyOf": [schema, _array(schema)]}


_TEXT = {"type": "string"}
_LANGUAGES = _array(_object({"code": _TEXT, "name": _TEXT, "targets": _array(_TEXT)}, ["code", "name", "targets"]))
_NUMBER = {"type": "number"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_LINKS = _array({"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2})
_DETECTED = _object({"confidence": _NUMBER, "language": _TEXT}, ["confidence", "language"])

_ANSWER = _object(
    {
        "translatedText": _each(_TEXT),
        "alternatives": _each(_array(_TEXT)),
        "detectedLanguage": {**_each(_DETECTED), "description": "with source auto"},
        "score": {**_each(_NUMBER), "description": "with scores: what candidates compete by"},
        "logProbability": {**_each(_NUMBER), "description": "with scores: in nats"},
        "alignment": {
            **_each({"anyOf": [_LINKS, {"type": "null"}]}),
            "description": "with alignment: places of source and target words, from 0; null where a model has none",
        },
        "confidence": {**_each(_SHARE), "description": "with confidence: the share of words expected to be right"},
        "wordConfidences": {**_each(_array(_SHARE)), "description": "with confidence: of each word of the translation"},
    },
    ["translatedText"],
)


def _translate(pairs: Pairs, limits: Limits) -> dict[str, Any]:
    text = {"type": "string", "maxLength": limits.characters}
    asked = _object(
        {
            "q": {
                "description": "the text or texts; lines are translated one by one",
                "anyOf": [text, {**_array(text), "maxItems": limits.texts}],
            },
            "source": {"type": "string", "enum": [*pairs.sources, "auto"]},
            "target": {"type": "string", "enum": pairs.targets},
            "format": {"type": "string", "enum": ["text", "html"], "default": "text"},
            "alternatives": {"type": "integer", "minimum": 0, "default": 0, "description": "other translations wanted"},
            "api_key": _TEXT,
            "scores": {"type": "boolean", "default": False},
            "alignment": {"type": "boolean", "default": False},
            "confidence": {"type": "boolean", "default": False},
        },
        ["q", "source", "target"],
    )
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    refusals = {
        400: "wrong, or too long",
        403: "the API key is missing or unknown",
        408: "sent too slowly",
        413: f"larger than {limits.body} bytes",
        429: "too many requests; Retry-After says when to come again",
        503: "not translated in time; Retry-After says when to come again",
    }
    return {
        "summary": "Translate a text, or each of several",
        "requestBody": {"required": True, "content": {kind: {"schema": asked} for kind in kinds}},
        "responses": {"200": _json("the translation", _ANSWER)}
        | {str(status): _json(why, {"$ref": "#/components/schemas/Error"}) for status, why in refusals.items()},
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _get(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _json("JSON", schema)}}
