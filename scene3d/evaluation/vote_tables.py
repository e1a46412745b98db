"""How well the frames of a drive agree with the map that they elected, as a table."""

from __future__ import annotations

from scene3d.evaluation.consistency import ElectedVotes
from scene3d.structures.labels import GROUND, SSC
from scene3d.structures.tables import Table

TITLE = "consistency of classes over the frames"


def votes_table(votes: ElectedVotes) -> Table:
    """Share of the votes for what was elected: of all cells, without ground, and of each class that has any."""
    every = range(1, len(SSC))
    groups = {"all classes": list(every), "without ground": [c for c in every if SSC.classes[c] not in GROUND]}
    groups |= {SSC.classes[c]: [c] for c in every if int(votes.cells[c]) > 0}
    cells = max(int(votes.cells.sum()), 1)
    a_cell = int(votes.cast.sum()) / cells
    return Table(
        title=TITLE,
        columns=("share of the cells", "votes for the elected class"),
        rows={name: (int(votes.cells[some].sum()) / cells, votes.share(some)) for name, some in groups.items()},
        note=f"cells that at least two frames call occupied, {a_cell:.1f} votes each on average; frames that call a "
        f"cell empty have no vote on its class; the least that n votes can show is a share of 1 / n",
    )
