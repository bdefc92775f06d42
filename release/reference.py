"""python -m release.reference: writes docs/api-reference.*.md, in both languages, from the API's OpenAPI document.

The same table of operations makes the routes and that document, so nothing here is written by hand but the Chinese of
its sentences (`reference.zh.toml`). A test compares the files with what this makes; another runs every example.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from checkout.protocols.api import openapi
from release.examples import BASE, curl, python

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("en", "zh")
CODES = {  # what a problem document's `code` may be, and what to do
    "bad_request": "A field is missing, unknown or not in its form: `errors` names each.",
    "bad_amount": "The amount cannot be used.",
    "bad_url": "The address is not one that this merchant may use.",
    "unauthorized": "There is no key, or it was revoked.",
    "missing_scope": "The key may not do this: `detail` names the scope.",
    "forbidden": "The merchant's settings do not allow it.",
    "not_found": "There is no such thing, or it is another merchant's.",
    "method_not_allowed": "The path does not know this method.",
    "duplicate": "The number, or the idempotency key, stands for something else already.",
    "not_allowed": "The state of things does not allow it.",
    "conflict": "Somebody else was first: look again, then decide.",
    "too_large": "The body is longer than 64 KiB.",
    "unsupported_media_type": "The body must be sent as application/json in UTF-8.",
    "limited": "Too many requests: wait as long as Retry-After says.",
    "internal": "A fault of ours: ask how things stand, then repeat under the same key.",
    "gateway": "The official gateway refused, or did not answer.",
    "unavailable": "The database cannot be used at this moment.",
    "no_account": "No account is set up that could take the money.",
    "phone_offline": "The phone that would see the money is offline.",
    "busy": "Every amount is taken: Retry-After says when one will be free.",
    "disk_full": "The disk is nearly full; the owner has to make room.",
}


def main() -> int:
    for language in LANGUAGES:
        path(language).write_text(Page(language).text(), encoding="utf-8")
    return 0


def path(language: str) -> Path:
    return ROOT / "docs" / f"api-reference.{language}.md"


class Page:
    """The reference in one language. `missing`: sentences that were needed and have no translation."""

    def __init__(self, language: str) -> None:
        self.document = openapi.described(BASE)
        self.language = language
        self._words = _words() if language == "zh" else {}
        self.missing: list[str] = []
        self.used: set[str] = set()

    def t(self, english: str) -> str:
        if self.language == "en" or not english:
            return english
        self.used.add(english)
        if english not in self._words:
            self.missing.append(english)
        return self._words.get(english, english)

    def text(self) -> str:
        parts = [*self._head()]
        for tag, operations in self._by_tag().items():
            parts.append(f"## {self.t(tag.capitalize())}")
            for method, place, one in operations:
                parts += self._operation(method, place, one)
        parts += [*self._codes(), f"## {self.t('Models')}"]
        for name, schema in sorted(self._schemas().items()):
            parts += self._model(name, schema)
        return "\n\n".join(parts) + "\n"

    def _schemas(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.document["components"]["schemas"]
        return found

    def _by_tag(self) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
        found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
        for place, methods in self.document["paths"].items():
            for method, one in methods.items():
                found.setdefault(one["tags"][0], []).append((method.upper(), place, one))
        return found

    def _head(self) -> Iterator[str]:
        other = (
            f"[中文](api-reference.zh.md) · [All documentation](index.en.md) · [{self.t('The native API')}](api.en.md)"
        )
        if self.language == "zh":
            other = (
                f"[English](api-reference.en.md) · [全部文档](index.zh.md) · [{self.t('The native API')}](api.zh.md)"
            )
        yield f"<!-- {self.t('Made by python -m release.reference; do not edit.')} -->"
        yield f"# {self.t('API reference')}"
        yield other
        yield self.t(
            "Every operation of `/api/v1`, made from the models that check what you send. Programs read the same as"
            " OpenAPI 3.1 at `/api/v1/openapi.json`."
        )
        yield self.t(self.document["info"]["description"])
        yield self.t(
            "The examples take the key from `$KEY` and ids from `$ORDER`, `$PAYMENT` and `$RECEIPT`; in Python from"
            " `KEY`, `ORDER`, `PAYMENT` and `RECEIPT`."
        )

    def _operation(self, method: str, place: str, one: dict[str, Any]) -> Iterator[str]:
        name = one["operationId"]
        yield f"### {self.t(one['summary'])}"
        scopes = one["security"][0]["key"] if one["security"] else []
        scope = f"{self.t('Scope')} `{scopes[0]}`" if scopes else self.t("No key needed")
        yield f"`{method} /api/v1{place}` · {scope}"
        if about := one.get("description"):
            yield self.t(about)
        if parameters := one["parameters"]:
            yield self._parameters(parameters)
        if body := one.get("requestBody"):
            yield f"{self.t('Body:')} {self._type(body['content']['application/json']['schema'])}"
        yield self._answers(
            {status: said for status, said in one["responses"].items() if status not in self._usual(one)}
        )
        yield "```sh\n" + curl(method, place, name) + "\n```"
        yield "```python\n" + python(method, place, name) + "\n```"

    def _parameters(self, parameters: list[dict[str, Any]]) -> str:
        rows = [
            (f"`{one['name']}`", self.t(one["in"]), self._type(one["schema"]), self._about(one["schema"], one))
            for one in parameters
        ]
        return _table([self.t(head) for head in ("Parameter", "In", "Type", "About")], rows)

    def _usual(self, one: dict[str, Any]) -> set[str]:
        """The statuses of refusal that every operation with a key has: they are described once."""
        if not one["security"]:
            return set()
        keyed = [other for found in self._by_tag().values() for _, _, other in found if other["security"]]
        alike = [set(other["responses"]) for other in keyed if ("requestBody" in other) == ("requestBody" in one)]
        return set.intersection(*alike) - {"200", "201"}

    def _answers(self, responses: Mapping[str, dict[str, Any]]) -> str:
        rows = []
        for status, one in responses.items():
            (content,) = one["content"].values()
            rows.append((status, self._type(content["schema"]), self.t(one["description"])))
        return _table([self.t(head) for head in ("Status", "Body", "Meaning")], rows)

    def _model(self, name: str, schema: dict[str, Any]) -> Iterator[str]:
        yield f"### {name} {self.t('model')}"
        if about := schema.get("description"):
            yield self.t(about)
        if "enum" in schema:
            yield " · ".join(f"`{value}`" for value in schema["enum"])
            return
        needed = set(schema.get("required", ()))
        rows = [
            (f"`{field}`", self._type(one), self.t("yes") if field in needed else self.t("no"), self._about(one))
            for field, one in schema["properties"].items()
        ]
        there = "Needed" if schema.get("additionalProperties") is False else "Always there"
        yield _table([self.t(head) for head in ("Field", "Type", there, "About")], rows)

    def _codes(self) -> Iterator[str]:
        """What any request can meet, and every code."""
        yield f"## {self.t('Refusals')}"
        yield self.t("Any request can be answered so too; some of these only where something is written:")
        wanted = self._by_tag()["payments"][-1][2]
        yield self._answers({status: wanted["responses"][status] for status in sorted(self._usual(wanted))})
        yield self.t(
            "Decide by `code`; it never changes. `detail` is for people, `errors` names each field that is wrong."
        )
        rows = [(f"`{code}`", self.t(about)) for code, about in CODES.items()]
        yield _table([self.t(head) for head in ("Code", "Meaning")], rows)

    def _about(self, *found: Mapping[str, Any]) -> str:
        """What is said of a field, and its bounds."""
        said = [self.t(one["description"]) for one in found if one.get("description")]
        return " ".join([*said, *self._bounds(found[0])])

    def _bounds(self, schema: Mapping[str, Any]) -> Iterator[str]:
        kept: Mapping[str, Any] = next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), {})
        bounds = {**schema, **kept}
        if "minimum" in bounds:
            yield f"{bounds['minimum']} – {bounds['maximum']}."
        if "maxLength" in bounds:
            yield self.t("At most {count} characters.").format(count=bounds["maxLength"])
        if "maxProperties" in bounds:
            yield self.t("At most {count} entries.").format(count=bounds["maxProperties"])
        if bounds.get("default") not in (None, "", {}):
            yield self.t("Without it {value}.").format(value=f"`{json.dumps(bounds['default'])}`")

    def _type(self, schema: Mapping[str, Any]) -> str:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return f"[{name}](#{name.lower()}-{self.t('model')})"
        if "anyOf" in schema:
            return f" {self.t('or')} ".join(self._type(one) for one in schema["anyOf"])
        if "const" in schema or "enum" in schema:
            values = schema.get("enum", [schema.get("const")])
            return " · ".join(f"`{value}`" for value in values)
        if schema.get("type") == "array":
            return self.t("list of {what}").format(what=self._type(schema["items"]))
        if schema.get("format") == "date-time":
            return self.t("time")
        return self.t(schema["type"])


def _table(head: list[str], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(one.replace("|", "\\|") for one in row) + " |" for row in rows)])


def _words() -> dict[str, str]:
    found: dict[str, str] = tomllib.loads((ROOT / "release" / "reference.zh.toml").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    sys.exit(main())
