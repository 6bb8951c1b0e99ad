//! The media type of a file: what the client says, unless the first bytes say otherwise.

/// How much of a file is looked at.
const HEAD_BYTES: usize = 8 << 10;

const UNKNOWN: &str = "application/octet-stream";

/// Whether a type says nothing: `application/octet-stream`.
pub(super) fn is_unknown(declared: &str) -> bool {
    essence(declared).eq_ignore_ascii_case(UNKNOWN)
}

/// The type of a file that begins with `bytes`.
///
/// The client's word stands, parameters included, where it says something and the bytes do not contradict it.
pub(super) fn of(declared: Option<&str>, bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let detected = detect(head);
    let declared = declared.filter(|declared| is_media_type(essence(declared)) && !is_unknown(declared));
    match (declared, detected) {
        (Some(declared), None) => declared.to_owned(),
        (Some(declared), Some(detected)) if is_plausible(&essence(declared).to_ascii_lowercase(), detected, head) => {
            declared.to_owned()
        }
        (_, detected) => detected.unwrap_or(UNKNOWN).to_owned(),
    }
}

/// The type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Whether this is a type and a subtype (RFC 6838 §4.2).
fn is_media_type(essence: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// What the first bytes say.
fn detect(head: &[u8]) -> Option<&'static str> {
    let found = infer::get(head)?;
    match (found.mime_type(), found.extension()) {
        // Documents, messages and installers alike are files of this kind.
        ("application/msword", _) => Some("application/x-ole-storage"),
        // Two bytes say too little: plain text begins with BC, BM or MZ.
        ("application/x-llvm", _) | ("application/x-x509-ca-cert", "der") | ("application/x-executable", "obj") => None,
        ("image/bmp", _) if head.get(6..10) != Some(&[0; 4]) => None,
        ("application/vnd.microsoft.portable-executable", _) if !head.contains(&0) => None,
        (media_type, _) => Some(media_type),
    }
}

/// Whether a file of the declared type can begin with what was detected.
fn is_plausible(declared: &str, detected: &str, head: &[u8]) -> bool {
    if is_text(declared) {
        // Text has no magic bytes, but no NUL either.
        return !head.contains(&0);
    }
    let is_related = match (family(declared), family(detected)) {
        ("sound", "sound") => true, // one container, several types
        (said, found) if said == found => !infer::is_mime_supported(declared) || is_inside(declared, detected),
        _ => false,
    };
    declared == detected || is_related
}

/// Types of which a file can look like any other of the same family.
fn family(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        Some("image") => "image",
        Some("audio" | "video") => "sound",
        _ => "other",
    }
}

/// Whether files of the declared type are containers of the detected type, which tell no more in their first bytes.
fn is_inside(declared: &str, detected: &str) -> bool {
    let kinds: &[&str] = match detected {
        "application/zip" => &["application/vnd.openxmlformats-", "application/vnd.oasis.", "application/epub"],
        "application/x-ole-storage" => &["application/msword", "application/vnd.ms-"],
        _ => &[],
    };
    kinds.iter().any(|kind| declared.starts_with(kind))
}

fn is_text(declared: &str) -> bool {
    const TEXTS: [&str; 6] = ["json", "xml", "javascript", "ecmascript", "yaml", "x-yaml"];
    let (kind, subtype) = declared.split_once('/').unwrap_or_default();
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    kind == "text" || kind == "message" || TEXTS.contains(&suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const PDF: &[u8] = b"%PDF-1.7\n";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.txt";
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\0\0\0\0";
    const WEBM: &[u8] =
        b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm\0\0\0\0";

    fn elf() -> Vec<u8> {
        [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 60]].concat()
    }

    #[test]
    fn a_client_that_says_nothing_is_told_by_the_bytes() {
        for said in
            [None, Some("application/octet-stream"), Some("Application/Octet-Stream; x=y"), Some("png"), Some("")]
        {
            assert_eq!(of(said, PNG), "image/png", "{said:?}");
            assert_eq!(of(said, b"words"), "application/octet-stream", "{said:?}");
        }
        assert_eq!(of(None, OLE), "application/x-ole-storage");
        assert_eq!(of(None, b"<!DOCTYPE html><p>"), "text/html");
    }

    #[test]
    fn a_contradiction_is_settled_by_the_bytes() {
        for (said, bytes, found) in [
            ("image/png", PDF, "application/pdf"),
            ("image/png", b"<script >alert(1)</script>".as_slice(), "text/html"),
            ("image/png", &elf(), "application/x-executable"),
            ("image/png", JPEG, "image/jpeg"),
            ("application/pdf", ZIP, "application/zip"),
            ("application/pdf", PNG, "image/png"),
            ("text/plain", &elf(), "application/x-executable"),
            ("text/csv", PNG, "image/png"),
            ("audio/mpeg", PNG, "image/png"),
        ] {
            assert_eq!(of(Some(said), bytes), found, "{said}");
        }
    }

    #[test]
    fn what_is_plausible_stands_as_it_was_said() {
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (said, bytes) in [
            ("image/png", PNG),
            ("image/jpg", JPEG),
            ("image/png", b"words".as_slice()),
            ("text/plain; charset=utf-8", b"BC, BM and MZ"),
            ("text/html", PDF),
            ("application/json", b"<!-- -->"),
            ("image/svg+xml", b"<?xml version=\"1.0\"?><svg/>"),
            (docx, ZIP),
            ("application/java-archive", ZIP),
            ("application/x-zip-compressed", ZIP),
            ("application/vnd.ms-excel", OLE),
            ("audio/webm", WEBM),
            ("application/x-own", PDF),
        ] {
            assert_eq!(of(Some(said), bytes), said);
        }
    }

    #[test]
    fn text_that_begins_like_a_program_is_text() {
        for bytes in [b"BC is a place".as_slice(), b"BMW, or the like", b"MZ,1,2\n", b"0\x82"] {
            assert_eq!(of(None, bytes), "application/octet-stream");
        }
    }
}
