"""The pages that the navigation leads to, in its order."""

from __future__ import annotations

from msgspec import Struct


class Page(Struct, frozen=True):
    """One entry. `name` is the first word of its endpoints and its place below /admin; `label` is marked with `N_`.

    `icon` is the d of a path in a 24 × 24 field, drawn as a line. `rank` orders the entries; those `on_bar` stand
    in the bar at the bottom of a phone, the others behind "More".
    """

    name: str
    label: str
    icon: str
    rank: int
    on_bar: bool = False

    @property
    def place(self) -> str:
        """Its segment below /admin; the overview is /admin itself."""
        return "" if self.name == "overview" else self.name
