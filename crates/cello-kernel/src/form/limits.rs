//! What a form may cost.

/// Sizes and counts that one form may not exceed; more is a 413.
#[derive(Clone, Copy, Debug)]
pub struct FormLimits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one value that is no file: these are held in memory.
    pub field_bytes: u64,
    /// Bytes of the whole body, boundaries and header fields included.
    pub form_bytes: u64,
    /// Parts, or pairs of a urlencoded form.
    pub parts: usize,
    /// Bytes of one part's header fields, names and file names among them.
    pub head_bytes: usize,
    /// Header fields of one part.
    pub head_fields: usize,
    /// Bytes of one file up to which it is held in memory; a larger one goes to a temporary file. No limit: nothing is
    /// refused by it.
    pub memory_bytes: usize,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self {
            file_bytes: 10 << 20,
            field_bytes: 1 << 20,
            form_bytes: 50 << 20,
            parts: 1_000,
            head_bytes: 16 << 10,
            head_fields: 32,
            memory_bytes: 1 << 20,
        }
    }
}

impl FormLimits {
    /// The limits of a form whose route has a limit of its own for bodies, which holds for the form and for its files.
    pub(crate) fn of_body(&self, body_bytes: usize) -> Self {
        Self { file_bytes: body_bytes as u64, form_bytes: body_bytes as u64, ..*self }
    }

    /// A size as people write it.
    pub(crate) fn words(bytes: u64) -> String {
        match bytes {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
            bytes => format!("{bytes} bytes"),
        }
    }
}
