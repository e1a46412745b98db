from __future__ import annotations

import torch

from scene3d.evaluation.consistency import elected_votes
from scene3d.evaluation.vote_tables import votes_table
from scene3d.structures.labels import SSC


def test_the_ground_is_left_out_of_one_row_and_each_class_has_its_own():
    votes = torch.zeros(3, len(SSC), dtype=torch.int64)
    road, car = SSC.index("road"), SSC.index("car")
    votes[:2, road] = 4
    votes[2, car], votes[2, road] = 1, 1
    table = votes_table(elected_votes(votes, torch.tensor([road, road, car])))
    # 4 + 4 + 1 of 4 + 4 + 2 votes.
    assert table.rows["all classes"] == (1.0, 0.9)
    assert table.rows["without ground"] == (1 / 3, 0.5)
    assert table.rows["road"] == (2 / 3, 1.0)
    assert list(table.rows) == ["all classes", "without ground", "car", "road"]
    assert "3.3 votes each" in table.note
