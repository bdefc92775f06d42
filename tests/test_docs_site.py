"""The documentation builds as a site: every link and anchor leads somewhere, every page is in the navigation."""

from __future__ import annotations

import subprocess
import sys

from tests.servers import ROOT


def test_the_site_builds_and_nothing_in_it_leads_nowhere() -> None:
    done = subprocess.run([sys.executable, "-m", "release.site"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "dist" / "site" / "docs" / "deploy.zh.html").read_text(encoding="utf-8")
    for elsewhere in ("fonts.googleapis.com", "google-analytics", "cdn.jsdelivr.net"):
        assert elsewhere not in page.partition("<article")[0]


def test_every_page_of_the_documentation_is_in_the_navigation() -> None:
    navigation = (ROOT / "release" / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if f": {page}\n" not in navigation] == []
