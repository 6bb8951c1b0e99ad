"""The longer bodies: what is sent, and what right answers are."""

import json

FILE_BYTES = 1 << 20
BOUNDARY = "----a-boundary-that-is-nowhere-in-the-file"
STREAMED = b"x" * 1024 * 100


def compact(value: object) -> bytes:
    """Write JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def form_of(file: bytes) -> bytes:
    """Lay out a form with one file in it. Source: RFC 7578."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="blob.bin"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    return head.encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()


# Every value that a byte has, so line breaks and dashes too, which a parser has to look at.
UPLOAD = form_of(bytes(range(256)) * (FILE_BYTES // 256))

ARTICLES = compact(
    [
        {
            "id": number,
            "title": f"Article number {number}",
            "price": number * 0.25,
            "is_sold": number % 3 == 0,
            "tags": ["red", "round", "rare"],
            "text": "What there is to say.",
        }
        for number in range(500)
    ]
)

ORDER = compact(
    {
        "order": "2026-10042",
        "placed": "2026-11-21T09:30:00Z",
        "customer": {
            "name": "Ada Example",
            "email": "ada@example.org",
            "address": {"street": "12 Long Lane", "postcode": "2312 AB", "city": "Leiden", "country": "NL"},
        },
        "lines": [
            {
                "sku": f"SKU-{number:05}",
                "title": f"An article of kind {number}",
                "quantity": number,
                "price": number * 12.5,
                "tags": ["new", "fragile"],
            }
            for number in range(1, 9)
        ],
        "note": "Please ring twice, and leave it with the neighbours at number fourteen if nobody opens the door.",
    }
)
RECEIPT = compact({"order": "2026-10042", "city": "Leiden", "quantity": sum(range(1, 9))})
INVOICE = compact(
    {"order": "2026-10042", "year": 2026, "city": "Leiden", "quantity": sum(range(1, 9)), "currency": "EUR"}
)
