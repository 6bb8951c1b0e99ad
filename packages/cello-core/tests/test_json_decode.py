"""Parsing JSON, measured against the standard library and the differences that the documentation names."""

from __future__ import annotations

import json
import math
import sys
import threading
from typing import Any

import pytest
from cello._kernel import _json_decode, _json_encode
from cello.errors import MalformedJSON
from hypothesis import example, given, settings
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=20
)
#: Anything that looks like JSON, and mostly is none.
scribbles = st.text(alphabet='[]{},:"\\0123456789.eE+-truefalsn /udD8c\t\n\x00\x1fé\u2028', max_size=24)


def nested(depth: int, innermost: str = "") -> bytes:
    return ("[" * depth + innermost + "]" * depth).encode()


def has_half_a_pair(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def standard(document: bytes) -> Any:
    """What the standard library makes of a document, less what the documentation says is refused."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def finite(digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            raise ValueError(digits)
        return number

    text = document.decode("utf-8-sig")
    # As pairs, since a member that a later one replaces is refused too.
    if has_half_a_pair(json.loads(text, object_pairs_hook=list)):
        raise ValueError("half of a surrogate pair")
    return json.loads(text, parse_constant=refuse, parse_float=finite)


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
@settings(deadline=None)
def test_what_the_standard_library_writes_is_read_as_it_reads_it(
    value: Any, indent: int | str | None, ascii_only: bool
) -> None:
    document = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert repr(_json_decode(document)) == repr(json.loads(document))


@given(values)
@settings(deadline=None)
def test_what_is_written_is_read_as_what_it_was(value: Any) -> None:
    document = _json_encode(value)
    assert repr(_json_decode(document)) == repr(value)
    assert repr(json.loads(document)) == repr(value)


@given(scribbles.map(str.encode) | st.binary(max_size=12))
@example(b"1e400")
@example(b'{"a":"\\ud800","a":1}')
@example(b"\xef\xbb\xbf")
@settings(max_examples=2000, deadline=None)
def test_what_is_no_json_is_refused_where_the_standard_library_refuses_it(document: bytes) -> None:
    try:
        expected = standard(document)
    except ValueError:
        with pytest.raises(MalformedJSON, match=r"^The body cannot be read as JSON: .* at line \d+, column \d+"):
            _json_decode(document)
    else:
        assert repr(_json_decode(document)) == repr(expected)


@pytest.mark.parametrize(
    "document",
    [
        b"0",
        b"-0",
        b"-0.0",
        b"1E+2",
        b"0.1e1",
        b"5e-324",
        b"1e-400",
        b"2.4703282292062328e-324",
        b"1.7976931348623157e308",
        b"1.7976931348623158e308",
        b"9007199254740993.0",
        b"123456789012345678.5",
        b"0." + b"0" * 400 + b"1e401",
        b"9007199254740993",
        b"999999999999999999",
        b"1000000000000000000",
        b"9223372036854775807",
        b"9223372036854775808",
        b"-9223372036854775808",
        b"-9223372036854775809",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-" + b"9" * 40,
        b'"\\ud83d\\ude00 \\uD83D\\uDE00 \\u00e9 \\/ \\b\\f\\n\\r\\t \\" \\\\ \\u0000"',
        '"é 😀 \u2028 \x7f"'.encode(),
        b' \t\r\n[ 1 , { "a" : [ ] } ] \n',
        b'{"a": 1, "b": 2, "a": 3}',
        b'{"\\u0061": 1, "a": 2}',
        b'{"": {}}',
        b'{"' + b"n" * 31 + b'":1,"' + b"n" * 32 + b'":2}',
        b"9" * 4300,
        nested(128),
        nested(128, str(2**80)),
    ],
    ids=lambda document: document[:24].decode(),
)
def test_a_document_is_parsed_exactly(document: bytes) -> None:
    assert repr(_json_decode(document)) == repr(json.loads(document))


@pytest.mark.parametrize("length", range(40))
@pytest.mark.parametrize("special", ['"', "\\", "\n", "\x1f", "\x00"], ids=ascii)
def test_the_end_of_a_string_is_found_wherever_it_stands(length: int, special: str) -> None:
    text = "é"[: length % 2] + "x" * length + special + "\x7f" * 9
    assert _json_decode(json.dumps(text, ensure_ascii=False).encode()) == text
    if special not in '"\\':
        with pytest.raises(MalformedJSON, match="a control character in a string must be escaped"):
            _json_decode(f'"{text}"'.encode())


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (b"", "a value is expected at line 1, column 1 (byte 0)."),
        (b" \n ", "a value is expected at line 2, column 2 (byte 3)."),
        (b"nul", "a value is expected at line 1, column 1 (byte 0)."),
        (b"+1", "a value is expected at line 1, column 1 (byte 0)."),
        (b"[1,]", "a value is expected at line 1, column 4 (byte 3)."),
        (b"[1 2]", "',' or ']' is expected at line 1, column 4 (byte 3)."),
        (b"[", "a value is expected at line 1, column 2 (byte 1)."),
        (b'{"a": 1,\n "b" 2}', "':' is expected at line 2, column 6 (byte 14)."),
        (b'{"a":1 "b"', "',' or '}' is expected at line 1, column 8 (byte 7)."),
        (b'{"a":1,}', "a name in double quotes is expected at line 1, column 8 (byte 7)."),
        (b"{a:1}", "a name in double quotes is expected at line 1, column 2 (byte 1)."),
        (b"1 2", "nothing may follow the value at line 1, column 3 (byte 2)."),
        (b"-", "a digit must follow the minus at line 1, column 2 (byte 1)."),
        (b"01", "a number does not begin with zeros at line 1, column 1 (byte 0)."),
        (b"-01", "a number does not begin with zeros at line 1, column 2 (byte 1)."),
        (b"1.", "a digit must follow the point at line 1, column 3 (byte 2)."),
        (b"1.e1", "a digit must follow the point at line 1, column 3 (byte 2)."),
        (b"1e+", "a digit must stand in the exponent at line 1, column 4 (byte 3)."),
        (b'["abc', "the string that begins here does not end at line 1, column 2 (byte 1)."),
        (b'"\x01"', "a control character in a string must be escaped at line 1, column 2 (byte 1)."),
        ('"é\\q"'.encode(), "there is no such escape at line 1, column 3 (byte 3)."),
        (b'"\\u12g4"', "\\u takes four hexadecimal digits at line 1, column 2 (byte 1)."),
        (b'"\\ud83d\\u"', "\\u takes four hexadecimal digits at line 1, column 8 (byte 7)."),
        (b'"\xff"', "this byte is no UTF-8 at line 1, column 2 (byte 1)."),
        (b'"\xed\xa0\x80"', "this byte is no UTF-8 at line 1, column 2 (byte 1)."),
    ],
    ids=lambda given: given.decode(errors="backslashreplace") if isinstance(given, bytes) else "",
)
def test_what_is_malformed_is_named_with_its_line_its_column_and_its_byte(document: bytes, what: str) -> None:
    with pytest.raises(MalformedJSON) as raised:
        _json_decode(document)
    assert raised.value.detail == f"The body cannot be read as JSON: {what}"


# --- where the standard library would do otherwise: docs/reference/json.md has each of them


@pytest.mark.parametrize("document", [b"NaN", b"[Infinity]", b"-Infinity"], ids=bytes.decode)
def test_nan_and_infinities_are_no_json(document: bytes) -> None:
    assert json.loads(document)
    with pytest.raises(MalformedJSON, match=r"a value is expected|a digit must follow the minus"):
        _json_decode(document)


@pytest.mark.parametrize("document", [b"1E400", b"[-1e999]", b"9" * 310 + b".0"], ids=lambda given: given[:9].decode())
def test_a_number_beyond_every_float_is_refused_and_does_not_become_infinity(document: bytes) -> None:
    assert "inf" in repr(json.loads(document))
    with pytest.raises(MalformedJSON, match="the number is too large"):
        _json_decode(document)


@pytest.mark.parametrize(
    "document",
    [b'"\\ud800"', b'"\\udc00"', b'{"\\ud800":1}', b'"\\ud800\\ud800"', b'"\\ude00\\ud83d"', b'"\\ud83d\\u0041"'],
    ids=bytes.decode,
)
def test_half_a_surrogate_pair_is_refused_since_no_utf_8_can_carry_it_on(document: bytes) -> None:
    with pytest.raises(UnicodeEncodeError):
        json.dumps(json.loads(document), ensure_ascii=False).encode()
    with pytest.raises(MalformedJSON, match="half of a surrogate pair stands alone"):
        _json_decode(document)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_only_utf_8_is_read(encoding: str) -> None:
    document = '{"é": 1}'.encode(encoding)
    assert json.loads(document)
    with pytest.raises(MalformedJSON, match=r"no UTF-8|a name in double quotes is expected|a value is expected"):
        _json_decode(document)


def test_a_byte_order_mark_is_passed_over_and_counted_among_the_bytes_alone() -> None:
    assert _json_decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    with pytest.raises(MalformedJSON, match=r"line 1, column 2 \(byte 4\)"):
        _json_decode(b"\xef\xbb\xbf[")
    with pytest.raises(MalformedJSON, match=r"a value is expected at line 1, column 2 \(byte 1\)"):
        _json_decode(b"[\xef\xbb\xbf]")


@pytest.mark.parametrize(
    "document",
    [
        nested(129),
        nested(129, str(2**80)),
        b'{"a":' * 129 + b"{}" + b"}" * 129,
        nested(100_000),
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
    ],
    ids=["lists", "around an int", "dicts", "closed", "lists without end", "dicts without end"],
)
def test_what_nests_deeper_than_128_levels_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedJSON, match=r"it nests deeper than 128 levels at line 1, column \d+"):
        _json_decode(document)


def test_an_integer_has_as_many_digits_as_python_takes() -> None:
    with pytest.raises(MalformedJSON, match=r"the integer has too many digits at line 1, column 2 \(byte 1\)"):
        _json_decode(b"[" + b"9" * 4301 + b"]")
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(5000)
    try:
        assert _json_decode(b"9" * 4301) == 10**4301 - 1
    finally:
        sys.set_int_max_str_digits(before)


# --- what is kept from one document to the next


def test_names_of_every_length_and_in_any_number_stay_what_they_are() -> None:
    # More names than are kept, some of them again, and some that only their end tells apart.
    names = [f"{'n' * (number % 40)}{number % 3000}" for number in range(6000)]
    for name in names:
        assert _json_decode(json.dumps({name: name}).encode()) == {name: name}
    assert _json_decode(json.dumps([{name: 1} for name in names]).encode()) == [{name: 1} for name in names]


def test_a_name_is_one_object_in_every_document() -> None:
    (first,) = _json_decode(b'{"the_name": 1}')
    (second,) = _json_decode(b'[{"the_name": 2}]')[0]
    assert first is second


def test_threads_parse_and_serialise_beside_each_other_on_small_stacks() -> None:
    document = nested(120, '{"a": [1, 2.5, "x", {"b": null}]}')
    results: list[bytes] = []

    def work() -> None:
        results.extend(_json_encode(_json_decode(document)) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = threading.stack_size(256 << 10)
    try:
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    for thread in threads:
        thread.join()
    assert set(results) == {document.replace(b" ", b"")}
    assert len(results) == 200
