"""Each fault with its exact message: data/faults/NAME.yaml changes a sound lab, NAME.txt is what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.configuration.environment import load
from components.configuration.faults import ConfigurationFaults
from tests.unit.environment_cases import DATA, ROLES, changes_in, lab, look

CASES = sorted((DATA / "faults").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_faulty_configuration_is_refused_with_these_words(path: Path) -> None:
    said = "".join(f"{fault}\n" for fault in look(lab(changes_in(path))).faults)
    assert said == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_each_case_has_its_words_and_no_words_are_left_over() -> None:
    assert CASES
    assert {path.stem for path in CASES} == {path.stem for path in (DATA / "faults").glob("*.txt")}


def test_all_faults_of_a_configuration_are_raised_together_and_sorted_by_key() -> None:
    changes = {"common": {"vip": "10.88.0.1", "domain": 5}, "containers": {"puppet1": {"adress": "10.87.0.10"}}}
    with pytest.raises(ConfigurationFaults) as caught:
        load(lab(changes), stack="lab", roles=ROLES, base_dir=DATA)
    keys = [fault.key for fault in caught.value.faults]
    assert keys == ["dockstack:common.domain", "dockstack:common.vip", "dockstack:containers.puppet1.adress"]
    assert str(caught.value).count("\n") == 2
