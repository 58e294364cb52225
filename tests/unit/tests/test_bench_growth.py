"""What the bench makes of the time that different numbers of containers take."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from components.services import plain
from tests.bench import growth
from tests.bench.figures import Figures

OURS = "dockstack"
GROWN = {
    10: Figures({(OURS, "up"): [1.0, 3.0], (OURS, "preview"): [4.0]}),
    20: Figures({(OURS, "up"): [8.0], (OURS, "preview"): [8.0]}),
}


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_the_exponent_is_the_power_of_the_number_that_the_time_grows_with(power: float) -> None:
    assert growth.exponent({count: 0.3 * count**power for count in growth.COUNTS}) == pytest.approx(power)


def test_the_exponent_goes_through_the_middle_of_what_lies_on_no_line() -> None:
    assert growth.exponent({10: 1.0, 100: 5.0, 1000: 100.0}) == pytest.approx(1.0)


def test_one_number_of_containers_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="one number"):
        growth.exponent({50: 3.0})


def test_several_rounds_count_as_their_median() -> None:
    assert growth.medians(GROWN, OURS) == {"up": {10: 2.0, 20: 8.0}, "preview": {10: 4.0, 20: 8.0}}


def test_the_table_has_a_row_for_each_number_and_the_exponents_last() -> None:
    assert growth.headings(GROWN, OURS) == ["containers", "up", "preview"]
    assert growth.rows(GROWN, OURS) == [
        ["10", "2.0 (1.0-3.0)", "4.0"],
        ["20", "8.0", "8.0"],
        ["exponent", "2.00", "1.00"],
    ]


def test_the_table_of_one_number_has_no_exponents() -> None:
    assert [row[0] for row in growth.rows({10: GROWN[10]}, OURS)] == ["10"]


def test_memory_is_left_to_others() -> None:
    assert growth.room(growth.SPARE_GIB + 1) == int(1024 / plain.ROLE.memory_mib)
    assert growth.room(growth.SPARE_GIB - 1) == 0


def test_the_host_tells_its_available_memory() -> None:
    assert 0 < growth.available_gib() < 2**14


def test_the_chart_is_an_svg_with_labelled_axes_and_a_line_for_each_step(tmp_path: Path) -> None:
    path = tmp_path / "charts" / "growth.svg"
    growth.write(growth.medians(GROWN, OURS), path)
    first = path.read_bytes()
    words = set(ElementTree.fromstring(first).itertext())
    assert {"plain containers", "seconds", "10", "20", "up: n^2.00", "preview: n^1.00"} <= words
    growth.write(growth.medians(GROWN, OURS), path)
    assert path.read_bytes() == first


def test_the_chart_of_one_number_tells_no_exponent(tmp_path: Path) -> None:
    path = tmp_path / "growth.svg"
    growth.write(growth.medians({10: GROWN[10]}, OURS), path)
    assert "n^" not in path.read_text()
