"""`python -m scene3d`: the same as the command `scene3d`."""

from __future__ import annotations

import sys

from scene3d.cli import main

sys.exit(main())
