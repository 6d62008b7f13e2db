"""The figure of success counts."""

import pandas as pd
import pytest

from cortexrnn.evidence.success_counts import COUNTS
from cortexrnn.figures.success_counts import success_counts


def table(**columns):
    row = dict.fromkeys(COUNTS, 0.1) | {"arm": "corr", "variant": "W*D*C", "task": "go_nogo"}
    row |= {"runs": 10, "learned": 8, "fewest": 17, "most": 18, "share_low": 0.4}
    row |= {"share_high": 0.9, "published_low": 0.6, "published_high": 0.95}
    return pd.DataFrame([row | columns])


def test_counts_are_drawn_out_of_twenty():
    both = pd.concat(
        [table(), table(variant="WD", learned=0), table(variant="WD", task="perceptual")]
    )
    first, second = success_counts(both).axes
    assert (first.get_title("left"), second.get_title("left")) == ("go_nogo", "perceptual")
    assert "of 20" in first.get_xlabel() + second.get_xlabel()
    assert [label.get_text() for label in first.get_yticklabels()] == ["W*D*C", "WD"]
    circles, *squares = first.lines
    assert circles.get_xdata().tolist() == [16, 0]  # 8 and 0 of 10
    assert [line.get_xdata().tolist() for line in squares] == [[17, 17], [18, 18]]
    ends = [[bar[:, 0].tolist() for bar in lines.get_segments()] for lines in first.collections]
    assert ends == [[[8, 18]] * 2, [[12, 19]] * 2, [[17, 18]] * 2]
    # A variant that only one panel has keeps its row there.
    assert second.lines[0].get_ydata().tolist() == pytest.approx([1 - 0.17])


@pytest.mark.parametrize("wrong", [table().iloc[:0], pd.concat([table(), table(arm="sttc")])])
def test_rows_of_one_arm_are_needed(wrong):
    with pytest.raises(ValueError, match="rows of one arm"):
        success_counts(wrong)
