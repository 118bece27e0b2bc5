"""Looks up known vulnerabilities of the pinned requirements; part of `make check`.

Fails for a vulnerability that a newer version fixes, unless it is ignored here with a reason. One without a fix is
reported. Where no vulnerability service can be reached, nothing is said but that.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent / "dev.txt"
TIMEOUT_S = 300
# By id, such as "PYSEC-2026-1" or "GHSA-xxxx-xxxx-xxxx": why it does not concern us.
IGNORED: dict[str, str] = {}


def main() -> int:
    """Print what was found, and return 1 if an update is due."""
    try:
        packages = _look_up()
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"pip-audit skipped: no vulnerability service can be reached ({error!s:.100}).")
        return 0
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        print(f"pip-audit skipped: the vulnerability service knows none of {len(packages)} packages.")
        return 0
    found = [(package, flaw) for package in audited for flaw in package["vulns"]]
    due = [_report(package, flaw) for package, flaw in found]
    print(f"pip-audit: {len(audited)} packages, {len(found)} vulnerabilities, {sum(due)} of them call for an update.")
    return int(any(due))


def _look_up() -> list[dict[str, Any]]:
    options = ["--requirement", str(PINNED), "--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
    command = [sys.executable, "-m", "pip_audit", *options]
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
    sys.exit(main())
