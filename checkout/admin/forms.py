"""Forms: what was typed, what is wrong with it at which field, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import request
from msgspec import Struct, field

from checkout.admin import words
from checkout.errors import Code, Refusal

_MOST = 20_000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_ELSEWHERE = (Code.NOT_FOUND, Code.DISK_FULL)  # no field helps


class Wrong(Refusal):
    """Refused at a field; `message` is in the owner's language already."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.field = field


class Form(Struct):
    """`values` by field as they were typed, `errors` by field; the field "" is the form as a whole."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def all(self, name: str) -> list[str]:
        """Every value of a group of boxes."""
        return self.many.get(name, [])

    def catching(self, fields: Mapping[Code, str] | None = None) -> Catching:
        """Keeps a refusal of the block as the error of its field: the one it names, else the one for its code,
        else the whole form. What no field could mend goes on."""
        return Catching(self, fields or {})


class Catching:
    """The block that `Form.catching` watches."""

    def __init__(self, form: Form, fields: Mapping[Code, str]) -> None:
        self._form, self._fields = form, fields

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Refusal) or error.code in _ELSEWHERE:
            return False
        field = getattr(error, "field", "") or self._fields.get(error.code, "")
        self._form.errors[field] = words.sentence(error.message)
        return True


def read(*names: str) -> Form:
    """The fields of the form that was sent, without the spaces around them. Refused (BAD_REQUEST): control characters,
    more than 20,000 of any."""
    many = {name: [_clean(name, value) for value in request.form.getlist(name)] for name in names}
    return Form({name: values[0] for name, values in many.items() if values}, many=many)


def _clean(name: str, value: str) -> str:
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if len(value) > _MOST or _CONTROL.search(value):
        raise Refusal(Code.BAD_REQUEST, f"The field {name} is too long, or holds characters that cannot be typed.")
    return value if name.startswith("password") else value.strip()
