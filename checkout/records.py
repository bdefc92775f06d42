"""What our records are made of: msgspec's Struct, a frozen dataclass that costs a thirtieth to define and to create.

Hundreds of classes are defined at every start, and every request creates some records.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """A record whose secrets do not show when it is printed or logged."""

    SECRET: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = [name for name in self.__struct_fields__ if name not in self.SECRET]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
