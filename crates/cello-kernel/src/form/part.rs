//! One part of a form, and where its content is.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::Pieces;

/// A field or a file of a form.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name of the form's field.
    pub name: String,
    /// The name of a file, one component of a path, empty where there is none; `None` where the part is a field.
    pub filename: Option<String>,
    /// The media type: of a file always there, and what its first bytes say where they contradict the client.
    pub content_type: Option<String>,
    /// The media type as the client said it.
    pub declared_content_type: Option<String>,
    /// The bytes.
    pub content: PartContent,
}

impl Part {
    pub(super) fn field(name: String, content_type: Option<String>, value: Pieces) -> Self {
        let declared_content_type = content_type.clone();
        Self { name, filename: None, content_type, declared_content_type, content: PartContent::Memory(value) }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.filename.is_some()
    }

    /// The value of a field as text: UTF-8, what is none replaced by U+FFFD. Empty for what is on disk.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.content {
            PartContent::Memory(bytes) => match bytes.joined() {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
            },
            PartContent::File(..) => Cow::Borrowed(""),
        }
    }

    /// Bytes of memory that it holds.
    pub fn held_bytes(&self) -> usize {
        let words = [&self.filename, &self.content_type, &self.declared_content_type];
        let words: usize = words.into_iter().flatten().map(String::len).sum();
        let content = match &self.content {
            PartContent::Memory(bytes) => bytes.held_bytes(),
            PartContent::File(..) => 0,
        };
        size_of::<Self>() + self.name.len() + words + content
    }
}

/// The bytes of a part. A copy shares them.
#[derive(Clone, Debug)]
pub enum PartContent {
    /// In memory.
    Memory(Pieces),
    /// In a temporary file that has no name and is gone with its last copy, or with the process; and their number.
    ///
    /// Its offset means nothing: who reads from it says where.
    File(Arc<File>, u64),
}

impl PartContent {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    /// Writes all of it to `target`.
    ///
    /// # Errors
    /// Those of reading the temporary file and of writing.
    pub fn write_to(&self, target: &mut impl io::Write) -> io::Result<()> {
        const PIECE_BYTES: usize = 256 << 10;
        let (file, size) = match self {
            Self::Memory(bytes) => return bytes.write_to(target),
            Self::File(file, size) => (file, *size),
        };
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        while at < size {
            let read = file.read_at(&mut piece, at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            target.write_all(&piece[..read])?;
            at += read as u64;
        }
        Ok(())
    }
}
