//! JSON strings: the one piece of JSON that the kernel and the binding share.

/// For each byte: 0 where it stands as it is, else the letter after the backslash (`u` for a hexadecimal escape).
static ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Up to so many bytes are looked at and copied in one go, without a call.
const SHORT_BYTES: usize = 32;
/// What a short string takes at most, and the words it is copied in.
const ROOM_BYTES: usize = SHORT_BYTES + 8;

/// Appends `text` as a JSON string, quotes included.
///
/// Source: RFC 8259 §7; what need not be escaped is not.
#[inline]
pub fn write_json_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let from = out.len();
    if bytes.len() <= SHORT_BYTES {
        out.extend_from_slice(&[b'"'; ROOM_BYTES]);
        if let Some(room) = out.last_chunk_mut::<ROOM_BYTES>()
            && copy_short(room, bytes)
        {
            out.truncate(from + bytes.len() + 2);
            return;
        }
        out.truncate(from);
    }
    write_long(out, bytes);
}

/// Copies a string of at most `SHORT_BYTES` behind the first of the quotes that `room` is full of; false where something
/// must be escaped. The last word of the text overlaps the one before it.
#[inline(always)]
fn copy_short(room: &mut [u8; ROOM_BYTES], bytes: &[u8]) -> bool {
    let count = bytes.len();
    let place =
        |room: &mut [u8; ROOM_BYTES], from: usize, part: &[u8]| room[1 + from..][..part.len()].copy_from_slice(part);
    let specials = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(last), _, _) => {
            let mut specials = json_specials(u64::from_le_bytes(*last));
            for (number, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
                place(room, number * 8, word);
                specials |= json_specials(u64::from_le_bytes(*word));
            }
            place(room, count - 8, last);
            specials
        }
        (None, Some(first @ &[a, b, c, d]), Some(last @ &[e, f, g, h])) => {
            place(room, 0, first);
            place(room, count - 4, last);
            json_specials(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
        _ => {
            let mut is_special = false;
            // The first, the last, and the one between them, which may be either.
            for at in [0, count / 2, count.saturating_sub(1)] {
                let Some(&byte) = bytes.get(at) else { continue };
                room[1 + at] = byte;
                is_special |= ESCAPES[byte as usize] != 0;
            }
            u64::from(is_special)
        }
    };
    room[1 + count] = b'"';
    specials == 0
}

#[inline(never)]
fn write_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if bytes.as_chunks::<8>().0.iter().all(|word| json_specials(u64::from_le_bytes(*word)) == 0)
        && bytes.as_chunks::<8>().1.iter().all(|&byte| ESCAPES[byte as usize] == 0)
    {
        out.extend_from_slice(bytes);
    } else {
        write_escaped(out, bytes);
    }
    out.push(b'"');
}

/// The high bit of each of eight bytes that stands in no string as it is: below 0x20, a quote or a backslash. Above the
/// lowest such byte, in the order of `u64::from_le_bytes`, a bit may be set where none should be.
///
/// Source: the zero-byte test of "Bit Twiddling Hacks" (Anderson), which has no false negative.
#[inline]
pub fn json_specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (has_zero(quote) | has_zero(backslash) | control) & HIGHS
}

fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut clean_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[byte as usize];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[clean_from..at]);
        clean_from = at + 1;
        if escape == b'u' {
            let (high, low) = (HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[clean_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_escaped_is_escaped() {
        let mut out = Vec::new();
        write_json_string(&mut out, "a\"b\\c\n\u{1}\u{7f}é😀/");
        assert_eq!(String::from_utf8_lossy(&out), "\"a\\\"b\\\\c\\n\\u0001\u{7f}é😀/\"");
    }
    #[test]
    fn every_byte_is_found_at_every_place_of_every_length() {
        for byte in 0..0x80_u8 {
            for (length, place) in (1..70).flat_map(|length| (0..length).map(move |place| (length, place))) {
                let mut text = "x".repeat(length).into_bytes();
                text[place] = byte;
                let mut out = Vec::new();
                write_json_string(&mut out, std::str::from_utf8(&text).expect("ASCII"));
                if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                    assert_eq!(out, [b"\"", &*text, b"\""].concat(), "byte {byte} at {place} of {length}");
                } else {
                    assert!(out.len() > length + 2, "byte {byte} at {place} of {length}");
                }
            }
        }
    }
}
