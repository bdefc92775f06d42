"""The documentation says what is: links lead somewhere, commands parse, settings and commands are all there, twice.

The snippets for shops are run in test_docs_snippets.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import click
import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from checkout.cli import cli
from checkout.setting_values import READERS
from checkout.settings import NOT_SETTINGS, NOT_SETTINGS_PREFIXES, PREFIX, Settings, load

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = {"CHECKOUT_ALIPAY_KEY", "CHECKOUT_KEY"}  # variables of the owner's own, in a channel and in a receiver

FENCE = re.compile(r"(?ms)^[ ]*```(\w*)\n(.*?)^[ ]*```$")
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"(?m)^(#+) (.+)$")


class Said(NamedTuple):
    """A command as it stands in the documentation; `whole` when a reader would type it as it is."""

    page: str
    line: str
    whole: bool


def pages() -> list[Path]:
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(ROOT / path for path in found if not path.parts[0].startswith((".", "build", "dist", "node_modules")))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", pages(), ids=named)


@each_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in LINK.findall(without_code(page)):
        if re.match(r"https?://", target):
            continue
        place, _, anchor = unquote(target).partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", [page for page in pages() if re.search(r"\.(en|zh)\.md$", page.name)], ids=named)
def test_every_page_is_there_in_both_languages_with_the_same_parts(page: Path) -> None:
    other = page.with_name(re.sub(r"\.(en|zh)\.md$", lambda m: f".{'zh' if m[1] == 'en' else 'en'}.md", page.name))
    if page.name == "README.zh.md":
        other = page.with_name("README.md")
    assert other.exists()
    assert shape(page) == shape(other)


def test_every_command_in_the_documentation_parses() -> None:
    wrong = [f"{said.page}: {said.line}: {fault}" for said in commands_said() if (fault := fault_of(said))]
    assert wrong == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_commands_lists_every_command_and_no_other(language: str) -> None:
    text = (DOCS / f"commands.{language}.md").read_text(encoding="utf-8").replace("\\|", "|")
    listed = re.findall(r"(?m)^\| `checkout ([^`]+)` \|", text)
    assert sorted(listed) == sorted(usage(path, command) for path, command in all_commands())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_settings_lists_every_setting_with_its_default_and_no_other(language: str) -> None:
    text = (DOCS / f"settings.{language}.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"(?m)^\| `(\w+)` \| ([^|]+) \|", text))
    assert sorted(table) == sorted([*READERS, "channels"])
    none = "none" if language == "en" else "无"
    for name, default in defaults(none).items():
        assert table[name] == default, name


@pytest.mark.parametrize("name", ["alerts", "deploy", "settings"])
def test_the_examples_of_checkout_toml_can_be_used(name: str, tmp_path: Path) -> None:
    for language in ("en", "zh"):
        blocks = FENCE.findall((DOCS / f"{name}.{language}.md").read_text(encoding="utf-8"))
        for text in (block for kind, block in blocks if kind == "toml"):
            (tmp_path / "checkout.toml").write_text(text, encoding="utf-8")
            settings = load({}, tmp_path)
            assert settings.base_url == "https://pay.example.com" or "base_url" not in text


def test_every_variable_in_the_documentation_is_one_that_is_read() -> None:
    known = {PREFIX + name.upper() for name in READERS} | set(NOT_SETTINGS) | EXAMPLES
    for page in pages():
        for variable in re.findall(r"\bCHECKOUT_[A-Z_]*[A-Z]\b_?", page.read_text(encoding="utf-8")):
            assert variable in known or variable.startswith(NOT_SETTINGS_PREFIXES), (named(page), variable)


def test_the_gallery_shows_every_picture() -> None:
    gallery = DOCS / "screenshots" / "README.md"
    shown = set(LINK.findall(gallery.read_text(encoding="utf-8")))
    assert shown == {path.name for path in gallery.parent.glob("*.png")}


# The checks themselves: each must find its fault.


@pytest.mark.parametrize(
    "line",
    [
        "merchant ad shop", "nothing", "serve --prot 1", "device", "device add", "device add a b", "export orders",
        "code add a --price 9.90", "account add a --method cash --code x", "order list --state payed",
    ],
)  # fmt: skip
def test_a_faulty_command_is_found(line: str) -> None:
    assert fault_of(Said("", f"checkout {line}", True))


def test_a_command_in_running_text_may_leave_out_what_does_not_matter() -> None:
    assert not fault_of(Said("", "checkout code add --price 9.90", False))
    assert fault_of(Said("", "checkout code add --prize 9.90", False))


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# 安全：strict 与 compat\n## 5. Fire & `water`\n## Twice\n## Twice\n```sh\n# no heading\n```\n")
    assert anchors(page) == {"安全strict-与-compat", "5-fire--water", "twice", "twice-1"}


# How pages are read


def without_code(page: Path) -> str:
    return SPAN.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))


def headings(page: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return found


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    seen: list[str] = []
    for _, text in headings(page):
        text = LINK.sub(lambda match: match[0].partition("[")[2].partition("]")[0], text)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        seen.append(f"{slug}-{count}" if (count := seen.count(slug)) else slug)
    return set(seen)


def shape(page: Path) -> list[str]:
    """What both languages of a page have in common: the levels of its headings, the kinds of its blocks."""
    text = page.read_text(encoding="utf-8")
    return [level for level, _ in headings(page)] + [kind for kind, _ in FENCE.findall(text)]


def commands_said() -> Iterator[Said]:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for kind, block in FENCE.findall(text):
            lines = block.replace("\\\n", " ").splitlines() if kind == "sh" else []
            yield from (Said(named(page), line.strip(), True) for line in lines if line.strip().startswith("checkout "))
        for span in SPAN.findall(FENCE.sub("", text)):
            if re.match(r"checkout [a-z]", span):
                yield Said(named(page), span.replace("\\|", "|"), False)


# How commands are judged


def all_commands() -> Iterator[tuple[list[str], click.Command]]:
    def below(group: click.Group, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from below(command, [*path, name])
            elif not command.hidden:
                yield [*path, name], command

    return below(cli, [])


def usage(path: list[str], command: click.Command) -> str:
    context = click.Context(command)
    arguments = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    return " ".join([*path, *arguments])


def fault_of(said: Said) -> str:
    """What is wrong with a command, "" when nothing is. Files are not opened, nothing is run."""
    words = list(until_the_shell(shlex.split(said.line, comments=True)))[1:]
    command: click.Command = cli
    while isinstance(command, click.Group):
        if not words:
            return "" if not said.whole else "a subcommand is missing"
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return f"there is no command {words[0]}"
        command, words = found, words[1:]
    try:
        values, rest, _ = command.make_parser(click.Context(command)).parse_args(list(words))
    except click.UsageError as error:
        return error.format_message()
    return fault_of_values(command, values, rest) if said.whole else ""


def fault_of_values(command: click.Command, values: dict[str, object], rest: list[str]) -> str:
    for param in command.params:
        given = values.get(str(param.name))
        is_missing = given is None or param.value_is_missing(given)
        if param.required and is_missing:
            return f"{param.name} is missing"
        if isinstance(param.type, click.Choice) and not is_missing and given not in param.type.choices:
            return f"{param.name} is none of {', '.join(map(str, param.type.choices))}"
    return f"{rest} is too much" if rest else ""


def until_the_shell(words: list[str]) -> Iterator[str]:
    for word in words:
        if word in ("|", "&&", ";") or word.startswith(">"):
            return
        yield word


def defaults(none: str) -> dict[str, str]:
    """The default of each setting as the page writes it, but for the two that are made at the start."""
    found = {field.name: field.default for field in fields(Settings) if field.default is not NODEFAULT}
    return {name: told(value, none) for name, value in found.items() if name in READERS and value is not None}


def told(value: object, none: str) -> str:
    if value in ("", ()):
        return none
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"
