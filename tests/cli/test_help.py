"""What a terminal shows before anything is done: help, completion, the manual page."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from checkout import __version__
from checkout.cli import COMMANDS, help
from tests.cli.conftest import Console
from tests.conftest import skip_or_fail
from tests.servers import CHECKOUT, ROOT


def test_help_lists_every_command_once_in_an_order_made_by_hand(co: Console) -> None:
    shown = co("--help").out
    assert "..." not in shown.partition("Options:")[2]
    assert "More:" not in shown
    named = [name for names in help.GROUPS.values() for name in names]
    assert sorted(named) == sorted(COMMANDS)
    for name in COMMANDS:
        assert shown.count(f"\n  {name} ") >= 1, name


def test_help_ends_with_the_road_and_the_exit_codes(co: Console) -> None:
    shown = co("--help").out
    assert shown.index("The ten-minute road:") < shown.index("Exit codes:")
    for code in ("0", "1", "2"):
        assert f"\n  {code}  " in shown.partition("Exit codes:")[2]


@pytest.mark.parametrize(("words", "offered"), [("do", "doctor"), ("order li", "list"), ("export o", "orders")])
def test_bash_completes_commands_and_their_choices(words: str, offered: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        skip_or_fail("bash", "there is no bash")
    assert bash
    program = tmp_path / "checkout"
    program.write_text(f'#!/bin/sh\nexec {CHECKOUT[0]} -m checkout "$@"\n')
    program.chmod(0o755)
    split = f"checkout {words}".split()
    script = (
        f"source <(checkout completion bash); COMP_WORDS=({' '.join(split)}); COMP_CWORD={len(split) - 1};"
        ' _checkout_completion checkout; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([bash, "-c", script], env=environ, capture_output=True, text=True, cwd=tmp_path)
    assert offered in done.stdout.split(), done.stderr


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "#compdef checkout"), ("fish", "complete --no-files")])
def test_other_shells_get_theirs(co: Console, shell: str, sign: str) -> None:
    assert sign in co("completion", shell).out


def test_the_manual_page_says_what_the_commands_say(co: Console) -> None:
    page = co("man").out
    assert f"This is version {__version__}." in page
    for words in ("order refund TOKEN", "EXIT STATUS", "doctor", "CHECKOUT_CONFIG"):
        assert all(word in page for word in words.split()), words


def test_the_manual_page_is_well_formed(co: Console) -> None:
    checker = shutil.which("mandoc")
    if checker is None:
        skip_or_fail("mandoc", "there is no mandoc (apt install mandoc)")
    assert checker
    page = co("man").out
    done = subprocess.run([checker, "-T", "lint", "-W", "warning"], input=page, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
