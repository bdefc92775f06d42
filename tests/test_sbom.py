"""The bill of materials names what a server runs, and what it was checked against."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.servers import ROOT


def test_the_bill_of_materials_holds_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "dev", "sbom", tmp_path / "sbom.json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {
        f"{part['name']}=={part['version']}": {
            one["content"] for place in part["externalReferences"] for one in place.get("hashes", [])
        }
        for part in bill["components"]
    }
    locked = re.findall(r"(?m)^([\w.-]+==[\w.]+)((?:.*\n)(?:    --hash.*\n)*)", (ROOT / "requirements.txt").read_text())
    assert len(locked) > 20
    assert found == {name: set(re.findall(r"sha256:([0-9a-f]{64})", hashes)) for name, hashes in locked}
