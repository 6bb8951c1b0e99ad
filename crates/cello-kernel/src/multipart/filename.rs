//! What is kept of the name that a client gives to a file.

/// The longest name that file systems take.
const MAX_BYTES: usize = 255;

/// The longest ending that is kept when a name is cut.
const MAX_ENDING_BYTES: usize = 32;

/// A name that is one component of a path: empty where nothing is left.
///
/// What stands before the last `/` or `\` goes, and control characters; `.` and `..` name no file. A longer name than
/// 255 bytes is cut before its ending.
pub(super) fn clean(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|character| !character.is_control()).collect();
    match name.trim() {
        "." | ".." => String::new(),
        trimmed if trimmed.len() > MAX_BYTES => cut(trimmed),
        trimmed if trimmed.len() == name.len() => name,
        trimmed => trimmed.to_owned(),
    }
}

fn cut(name: &str) -> String {
    let ending_at = name.rfind('.').filter(|at| name.len() - at <= MAX_ENDING_BYTES).unwrap_or(name.len());
    let ending = &name[ending_at..];
    let stem_end = name.floor_char_boundary(MAX_BYTES - ending.len());
    format!("{}{ending}", &name[..stem_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_is_never_a_path() {
        for (sent, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\a b.txt", "a b.txt"),
            ("/", ""),
            ("..", ""),
            ("a/..", ""),
            (" . ", ""),
            ("..\u{0}", ""),
            ("a\u{0}\r\n\u{7f}b", "ab"),
            (".bashrc", ".bashrc"),
            ("ü☺.txt", "ü☺.txt"),
        ] {
            assert_eq!(clean(sent), kept, "{sent:?}");
        }
    }

    #[test]
    fn a_long_filename_is_cut_before_its_ending() {
        let name = clean(&format!("{}.tar.gz", "ü".repeat(200)));
        assert!(name.len() <= MAX_BYTES && name.len() > MAX_BYTES - 3);
        assert!(name.ends_with("ü.gz"));
        assert_eq!(clean(&"a".repeat(300)).len(), MAX_BYTES);
        assert_eq!(clean(&format!("a.{}", "b".repeat(300))).len(), MAX_BYTES);
    }
}
