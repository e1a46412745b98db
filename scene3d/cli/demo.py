"""`scene3d demo`"""

from __future__ import annotations


def demo() -> int:
    """Demo.

    Examples:
      scene3d demo
    """
    return 0
