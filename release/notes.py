"""./dev notes: writes dist/notes.md, the notes of a release: what the changelog says, and what each program in dist/
is and costs, measured here and now. Run it on a machine that has nothing else to do."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from release.binary import ROOT, figures, needed_glibc

# What the second word of an ELF header's machine says (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html)
MACHINES = {62: "x86-64", 183: "arm64"}
PROGRAMS = ("checkout", "checkout-arm64")


def main() -> int:
    programs = [path for name in PROGRAMS if (path := ROOT / "dist" / name).is_file()]
    if not programs:
        print("There is no program in dist/: ./dev binary builds one.", file=sys.stderr)
        return 1
    latest = newest((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    told = "\n\n".join(map(described, [*programs, *sorted((ROOT / "dist").glob("*.whl"))]))
    target = ROOT / "dist" / "notes.md"
    target.write_text(f"{latest}\n\n## Files\n\n{told}\n", encoding="utf-8")
    print(f"{told}\n\n{target.relative_to(ROOT)} has this, and the changelog before it.")
    return 0


def newest(changelog: str) -> str:
    """The newest section, with its title."""
    _, _, rest = changelog.partition("\n## ")
    return f"## {rest.partition(chr(10) + '## ')[0]}".rstrip()


def described(file: Path) -> str:
    """One item of a list: what it is for, what it costs where it can run here, and its hash."""
    content = file.read_bytes()
    lines = [f"* **{file.name}**", f"  SHA-256 `{hashlib.sha256(content).hexdigest()}`"]
    if machine := machine_of(content):
        lines.insert(1, f"  Linux, {machine}, glibc ≥ {needed_glibc(file)}")
        own = machine == machine_of(Path(sys.executable).resolve().read_bytes())
        costs = figures(file) if own else {"size": f"{len(content) / 1_000_000:.1f} MB"}
        lines[2:2] = [f"  {name}: {value}" for name, value in costs.items()]
    return "\\\n".join(lines)


def machine_of(content: bytes) -> str:
    """The processor that an ELF program is for; "" for any other file."""
    return MACHINES.get(int.from_bytes(content[18:20], "little"), "") if content.startswith(b"\x7fELF") else ""


if __name__ == "__main__":
    sys.exit(main())
