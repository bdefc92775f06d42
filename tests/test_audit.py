"""`./dev audit` passes when nothing is known against a package, or when nobody can be asked, and in no other case."""

from __future__ import annotations

import io
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from urllib.error import URLError

import pytest

from tests.servers import ROOT

TELLS = b'{"info": {}, "vulnerabilities": []}'


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    spec = spec_from_loader("dev", SourceFileLoader("dev", str(ROOT / "dev")))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("is_clean", "answers", "status"), [(True, True, 0), (True, False, 0), (False, True, 1), (False, False, 0)]
)
def test_an_audit_that_could_be_made_decides(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, is_clean: bool, answers: bool, status: int
) -> None:
    asked: list[tuple[str, ...]] = []

    def audited(*command: str) -> bool:
        asked.append(command)
        return is_clean

    monkeypatch.setattr(dev, "succeeds", audited)
    monkeypatch.setattr(dev, "audit_service_answers", lambda: answers)
    assert dev.audit([]) == status
    (command,) = asked
    assert {"--strict", "--require-hashes", "requirements.txt"} <= set(command)


@pytest.mark.parametrize(("body", "is_there"), [(TELLS, True), (b'{"info": {}}', False), (b"", False)])
def test_a_service_that_tells_nothing_of_faults_cannot_be_asked(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, body: bytes, is_there: bool
) -> None:
    def opened(address: str, timeout: int) -> io.BytesIO:
        assert address.startswith("https://pypi.org/pypi/")
        assert timeout
        return io.BytesIO(body)

    monkeypatch.setattr(dev.urllib.request, "urlopen", opened)
    assert dev.audit_service_answers() is is_there


def test_a_service_out_of_reach_cannot_be_asked(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(address: str, timeout: int) -> io.BytesIO:
        raise URLError(f"{address} did not answer in {timeout} s")

    monkeypatch.setattr(dev.urllib.request, "urlopen", fails)
    assert dev.audit_service_answers() is False
