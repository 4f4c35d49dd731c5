"""What is in the image, as CycloneDX 1.5 JSON: Python distributions that are installed, and Debian's packages.

Usage: sbom.py NAME VERSION > sbom.cdx.json. The same contents give the same file.
"""

import json
import shutil
import subprocess
import sys
from importlib import metadata
from urllib.parse import quote


def python_components() -> list[dict]:
    found = {}
    for each in metadata.distributions():
        name = each.metadata["Name"].lower().replace("_", "-")
        component = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{each.version}",
            "name": name,
            "version": each.version,
            "purl": f"pkg:pypi/{quote(name)}@{quote(each.version)}",
        }
        licence = each.metadata.get("License-Expression") or each.metadata.get("License") or ""
        if 0 < len(licence) < 80 and "\n" not in licence:
            component["licenses"] = [{"license": {"name": licence}}]
        found[component["purl"]] = component
    return list(found.values())


def debian_components() -> list[dict]:
    program = shutil.which("dpkg-query")
    if not program:
        return []
    listed = subprocess.run(  # noqa: S603
        [program, "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:deb/debian/{name}@{version}?arch={arch}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={arch}",
        }
        for status, name, version, arch in rows
        if status == "installed"
    ]


def main() -> None:
    name, version = sys.argv[1:3]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": name, "name": name, "version": version}},
        "components": sorted(python_components() + debian_components(), key=lambda each: each["purl"]),
    }
    json.dump(document, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
