//! Writing to a part's temporary file, on a thread that may wait.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Pieces;

/// Bytes on their way to a temporary file.
pub(super) struct Spill {
    /// The file, once there is one.
    pub(super) file: Option<Arc<File>>,
    pub(super) bytes: Pieces,
    /// Where a new file is made; the system's folder for temporary files where it is `None`.
    pub(super) folder: Option<Arc<Path>>,
}

impl Spill {
    /// Appends the bytes to the file, making it first, and gives that back.
    pub(super) fn write(self) -> io::Result<Arc<File>> {
        let file = match (self.file, &self.folder) {
            (Some(file), _) => file,
            (None, Some(folder)) => Arc::new(tempfile::tempfile_in(folder)?),
            (None, None) => Arc::new(tempfile::tempfile()?),
        };
        self.bytes.write_to(&mut &*file)?;
        Ok(file)
    }
}
