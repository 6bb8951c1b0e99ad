"""JSONTestSuite, case by case, and a short run of the fuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cello._kernel import _json_decode
from cello.errors import MalformedJSON

CONFORMANCE = Path(__file__).parents[3] / "conformance"
CASES = {path.stem: path for path in sorted((CONFORMANCE / "json_test_suite" / "test_parsing").iterdir())}

#: What the suite leaves open, and is accepted; the rest of it is refused. docs/reference/json.md says why.
ACCEPTED: dict[str, Any] = {
    "i_number_double_huge_neg_exp": [0.0],
    "i_number_real_underflow": [0.0],
    "i_number_too_big_neg_int": [-123123123123123123123123123123],
    "i_number_too_big_pos_int": [100000000000000000000],
    "i_number_very_big_negative_int": [-237462374673276894279832749832423479823246327846],
    "i_structure_UTF-8_BOM_empty_object": {},
}
REFUSED = {
    "the number is too large": 5,
    "half of a surrogate pair stands alone": 10,
    "this byte is no UTF-8": 13,
    "it nests deeper than 128 levels": 1,
}


def names(letter: str) -> list[str]:
    return [name for name in CASES if name.startswith(f"{letter}_")]


def test_the_suite_is_whole() -> None:
    assert [len(names(letter)) for letter in "yni"] == [95, 188, 35]


@pytest.mark.parametrize("name", names("y"))
def test_a_case_that_must_be_accepted_is(name: str) -> None:
    _json_decode(CASES[name].read_bytes())


@pytest.mark.parametrize("name", names("n"))
def test_a_case_that_must_be_refused_is(name: str) -> None:
    with pytest.raises(MalformedJSON):
        _json_decode(CASES[name].read_bytes())


@pytest.mark.parametrize("name", names("i"))
def test_a_case_that_may_be_either_is_what_the_documentation_says(name: str) -> None:
    document = CASES[name].read_bytes()
    if name in ACCEPTED:
        assert _json_decode(document) == ACCEPTED[name]
    else:
        with pytest.raises(MalformedJSON, match="|".join(REFUSED)):
            _json_decode(document)


def test_every_reason_to_refuse_an_open_case_is_used() -> None:
    found = dict.fromkeys(REFUSED, 0)
    for name in set(names("i")) - set(ACCEPTED):
        with pytest.raises(MalformedJSON) as raised:
            _json_decode(CASES[name].read_bytes())
        found[next(reason for reason in REFUSED if reason in str(raised.value))] += 1
    assert found == REFUSED


def test_the_fuzzer_finds_no_difference_from_the_standard_library_in_a_short_run() -> None:
    command = [sys.executable, str(CONFORMANCE / "fuzz" / "json" / "fuzz.py"), "--inputs", "30000"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=55)
    assert (result.returncode, result.stderr) == (0, "")
    assert "json-fuzz: 30000/30000" in result.stdout
