"""Documents made of documents, given to Cello's JSON parser and to the standard library's.

    python conformance/fuzz/json/fuzz.py [--inputs 30000] [--seed 1] [--batch N] [--record]

The seeds are the short cases of ../../json_test_suite and what is in corpus/. An input is a seed with a few bytes
changed, repeated, moved, deleted or taken from another seed, or one made earlier in its batch that was answered in a
way not seen there before. A batch is 10,000 inputs and depends on nothing but --seed and its number, so that one that
ended the process is run again with --batch.

An input passes where both parsers accept it with the same value, exactly, which Cello then writes so that the standard
library reads that value again; or where both refuse it. What docs/reference/json.md says is refused on top of RFC 8259
is refused here too, in Python. An input that does not pass is printed and kept in corpus/, and the run exits 1.

Prints `json-fuzz: passed/total`. --record writes a dated result to ../../results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import random
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cello._kernel import BUILD_PROFILE, _json_decode, _json_encode
from cello.errors import MalformedJSON

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BATCH = 10_000
SEED_BYTES = 400
MAX_BYTES = 2000
MAX_DEPTH = 128
#: What a mutation puts in: all that JSON is made of, and what it is easily taken for.
PIECES = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"[]",
        b"{}",
        b'""',
        b'"a":',
        b'{"a":',
        b"null",
        b"true",
        b"false",
    ),
    *(b"0", b"-", b"-0", b"+", b".", b"e", b"E+", b"1e400", b"1e-400", b"5e-324", b"9" * 19, b"0" * 20, b"1234567890"),
    *(b"9223372036854775807", b"-9223372036854775808", b"18446744073709551616", b".5", b"1.7976931348623157e308"),
    *(b"\\u", b"\\ud83d", b"\\ude00", b"\\u0000", b"\\n", b"\\/", b"\\x", b'\\"', b"NaN", b"Infinity", b"-Infinity"),
    *(b" ", b"\t", b"\n", b"\r", b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9", b"\xf0\x9f\x98\x80"),
    *(
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"/**/",
        b"'",
        b"[" * 64,
        b"]" * 64,
    ),
]
LIKELY = b'{}[]:,"\\0123456789eE.+-untrlsaf \n'
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Different(Exception):
    """The two parsers do not agree; the words say how."""


def refuse(constant: str) -> None:
    """NaN and infinities are no JSON."""
    raise ValueError(constant)


def finite(digits: str) -> float:
    """A float, unless it is too large for one."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def expected(document: bytes) -> Any:
    """What the standard library makes of a document, less what Cello says it refuses."""
    text = document.decode("utf-8-sig")
    value = json.loads(text, parse_constant=refuse, parse_float=finite)
    if "\\u" in text:
        # As pairs, since a member that a later one replaces is refused too.
        json.dumps(json.loads(text, object_pairs_hook=list), ensure_ascii=False).encode()
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(text) > MAX_DEPTH:
        raise ValueError("deep")
    return value


def depth(text: str) -> int:
    """How deep a document nests."""
    deepest = level = 0
    for character in STRING.sub("", text):
        level += (character in "[{") - (character in "]}")
        deepest = max(deepest, level)
    return deepest


def judge(document: bytes) -> str:
    """How a document was answered, in few words.

    Errors: Different.
    """
    try:
        value = _json_decode(document)
        refused = None
    except MalformedJSON as error:
        refused = error.detail
    except Exception as error:
        raise Different(f"Cello raised {error!r}") from error
    try:
        wanted = expected(document)
    except (ValueError, RecursionError) as error:
        if refused is None:
            raise Different(f"accepted as {value!r:.200}, the standard library says {error!r:.200}") from None
        return refused.partition(" at line ")[0]
    if refused is not None:
        raise Different(f"refused ({refused}), the standard library reads {wanted!r:.200}")
    if repr(value) != repr(wanted):
        raise Different(f"read as {value!r:.200}, by the standard library as {wanted!r:.200}")
    written = _json_encode(value)
    if repr(json.loads(written)) != repr(value):
        raise Different(f"read as {value!r:.200} and written as {written!r:.200}")
    return re.sub(r"\w+", "x", written[:40].decode(errors="ignore"))


def mutated(chance: random.Random, document: bytes, others: list[bytes]) -> bytes:
    """A document that was changed in a few places."""
    made = bytearray(document)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
        at = chance.randrange(len(made) + 1)
        end = min(len(made), at + chance.choice((1, 1, 2, 4, 16)))
        match chance.randrange(7):
            case 0 | 1:
                made[at:at] = chance.choice(PIECES)
            case 2:
                made[at:end] = chance.choice(PIECES)
            case 3:
                del made[at:end]
            case 4 if at < len(made):
                made[at] = chance.randrange(256) if chance.random() < 0.05 else chance.choice(LIKELY)
            case 5:
                made[at:at] = made[at:end] * chance.choice((1, 1, 2, 130))
            case _:
                other = chance.choice(others)
                begin = chance.randrange(len(other) + 1)
                made[at:end] = other[begin : begin + chance.choice((1, 4, 16, 64))]
    return bytes(made[:MAX_BYTES])


def run(seed: int, batch: int, count: int, seeds: list[bytes], answers: Counter[str]) -> int:
    """Runs one batch; how many inputs passed."""
    chance = random.Random(f"{seed}:{batch}")
    pool, seen, passed = list(seeds), set[str](), 0
    for _ in range(count):
        document = mutated(chance, chance.choice(pool), seeds)
        try:
            answer = judge(document)
        except Different as difference:
            kept = HERE / "corpus" / f"found-{hashlib.sha256(document).hexdigest()[:12]}.json"
            kept.write_bytes(document)
            print(f"{document!r}: {difference} (kept as {kept.name})", flush=True)
            continue
        passed += 1
        if answer not in seen:
            seen.add(answer)
            pool.append(document)
        answers[answer if answer.startswith("The body") else "accepted"] += 1
    return passed


def output_of(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def provenance() -> dict[str, Any]:
    """What is judged, and when."""
    judged = ("crates", "packages/cello-core", "Cargo.lock", "conformance", ":!conformance/results")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": output_of("git", "rev-parse", "HEAD"),
        "is_dirty": bool(output_of("git", "status", "--porcelain", "--", *judged)),
        "build": BUILD_PROFILE,
        "versions": {"python": platform.python_version()},
    }


def record(result: dict[str, Any]) -> None:
    """Writes the dated result."""
    name = result["date"].replace(":", "") + "-json-fuzz.json"
    path = ROOT / "conformance" / "results" / name
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"recorded in {path.relative_to(ROOT)}")


def main() -> int:
    """Runs the batches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, help="run this batch alone")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()

    cases = (HERE.parents[1] / "json_test_suite" / "test_parsing").glob("*.json")
    seeds = [path.read_bytes() for path in sorted([*cases, *(HERE / "corpus").iterdir()])]
    seeds = [document for document in seeds if len(document) <= SEED_BYTES]
    origin = provenance() if options.record else {}  # before the tree can change under a long run
    began, passed, total, answers = time.monotonic(), 0, 0, Counter[str]()
    for batch in range(-(-options.inputs // BATCH)) if options.batch is None else [options.batch]:
        count = min(BATCH, options.inputs - total)
        passed += run(options.seed, batch, count, seeds, answers)
        total += count
        if batch % 100 == 99:
            print(f"batch {batch}: {passed}/{total} in {time.monotonic() - began:.0f} s", flush=True)
    for answer, count in answers.most_common():
        print(f"  {count:>9}  {answer}")
    print(f"json-fuzz: {passed}/{total}")
    if options.record:
        record(
            origin
            | {
                "is_good": passed == total,
                "seed": options.seed,
                "seeds": len(seeds),
                "inputs": total,
                "passed": passed,
                "duration_s": round(time.monotonic() - began, 1),
                "answers": dict(answers.most_common()),
            }
        )
    return 0 if passed == total else 1


if __name__ == "__main__":
    sys.exit(main())
