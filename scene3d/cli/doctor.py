"""`scene3d doctor`: what is installed, what is missing and how to get it."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict

from scene3d.cli.failures import FAILED


def doctor(*, json: bool = False) -> int:
    """Say what is installed, what is missing and how to get it; exit code 1 if the core is not whole.

    Examples:
      scene3d doctor
      scene3d doctor --json

    Args:
        json: print JSON for programs instead of lines for people.
    """
    from scene3d.cli.installation import examine

    findings = examine()
    healthy = all(finding.ok for finding in findings if finding.required)
    if json:
        print(json_text.dumps({"healthy": healthy, "findings": [asdict(f) for f in findings]}, indent=2))
        return 0 if healthy else FAILED
    for finding in findings:
        mark = "ok     " if finding.ok else "MISSING" if finding.required else "without"
        fix = "" if finding.ok or not finding.fix else f"  ->  {finding.fix}"
        print(f"{mark} {finding.name:<24} {finding.found}{fix}")
    print("everything that is needed is here" if healthy else "scene3d will not run as it is: mend what is MISSING")
    return 0 if healthy else FAILED
