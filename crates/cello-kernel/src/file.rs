//! Files as bodies: opened once, read piece by piece as the client takes them.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::complaint::complain;
use crate::content::{Broken, Content, Source};

/// How much is read at a time, by a thread of its own: the disk may make it wait.
const READ_BYTES: u64 = 256 << 10;

/// What is no longer than this is read in place: the way to a thread and back would cost more than the reading.
const READ_IN_PLACE_BYTES: u64 = 64 << 10;

/// hyper copies what it is given into its buffer: it gets no more of it at once.
const PIECE_BYTES: usize = 64 << 10;

/// A regular file, open for reading. Copies share the descriptor and no position in it.
#[derive(Clone, Debug)]
pub struct OpenFile(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    length_bytes: u64,
    modified: Option<SystemTime>,
}

impl OpenFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// What the system says; `EISDIR` for a directory. What is neither has no number: a pipe or a device has no length,
    /// and may never have anything to read.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Without NONBLOCK a pipe is open only when somebody writes to it.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let (length_bytes, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Self(Arc::new(Opened { file, path: path.to_owned(), length_bytes, modified })))
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its length when it was opened.
    pub fn length_bytes(&self) -> u64 {
        self.0.length_bytes
    }

    /// When it was last written to.
    pub fn modified(&self) -> Option<SystemTime> {
        self.0.modified
    }

    /// A body of these bytes of it.
    pub fn content(&self, range: Range<u64>) -> Content {
        if range.is_empty() {
            return Content::default();
        }
        Content::Pulled(Box::new(FileSource { file: self.clone(), unread: range, piece: Bytes::new(), reading: None }))
    }

    /// These bytes of it, all at once.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` where the file has become shorter.
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.fill(room(&range)?, range.start)
    }

    fn fill(&self, mut buffer: Vec<u8>, offset: u64) -> io::Result<Bytes> {
        self.0.file.read_exact_at(&mut buffer, offset)?;
        Ok(Bytes::from(buffer))
    }
}

/// A buffer for a range.
fn room(range: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    Ok(vec![0; length])
}

#[derive(Debug)]
struct FileSource {
    file: OpenFile,
    /// What has not been asked of the system, or is being read.
    unread: Range<u64>,
    /// What has been read and not been given on.
    piece: Bytes,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileSource {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.unread.end - self.unread.start <= READ_IN_PLACE_BYTES {
            return Poll::Ready(self.file.read(self.unread.clone()));
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let (file, offset) = (self.file.clone(), self.unread.start);
                // Allocated here: memory that a thread of the pool allocates stays in an arena of its own.
                let buffer = room(&(offset..self.unread.end.min(offset + READ_BYTES)))?;
                self.reading.insert(spawn_blocking(move || file.fill(buffer, offset)))
            }
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        Poll::Ready(read.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

impl Source for FileSource {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.piece.is_empty() {
            if self.unread.is_empty() {
                return Poll::Ready(None);
            }
            match ready!(self.poll_read(context)) {
                Ok(piece) => {
                    self.unread.start += piece.len() as u64;
                    self.piece = piece;
                }
                Err(error) => {
                    let (path, offset) = (self.file.path().display(), self.unread.start);
                    complain(format_args!("sending {path} broke off at byte {offset}: {}", words(&error)));
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
        let count = self.piece.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(self.piece.split_to(count))))
    }

    fn remaining_bytes(&self) -> Option<u64> {
        Some(self.piece.len() as u64 + (self.unread.end - self.unread.start))
    }
}

fn words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the file has become shorter".to_owned();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::env::temp_dir;
    use std::fs;
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    /// A file of its own for each test, gone at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = temp_dir().join(format!("cello-file-{}-{name}", std::process::id()));
            fs::write(&path, content).expect("a file can be written");
            Self(path)
        }

        fn open(&self) -> OpenFile {
            OpenFile::open(&self.0).expect("a regular file")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    /// The pieces of a body up to its end or break.
    fn pieces(content: Content) -> Result<Vec<Bytes>, Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut source = match content {
            Content::Whole(bytes) => return Ok(vec![bytes]),
            Content::Pulled(source) => source,
        };
        runtime.block_on(async move {
            let mut pieces = Vec::new();
            while let Some(piece) = poll_fn(|context| source.poll_piece(context)).await {
                pieces.push(piece?);
            }
            Ok(pieces)
        })
    }

    #[test]
    fn a_file_comes_in_order_and_in_small_pieces() {
        for length in [1, 65_536, 65_537, 262_144, 700_001] {
            let content = numbered(length);
            let scratch = Scratch::new(&format!("order-{length}"), &content);
            let sent = pieces(scratch.open().content(0..length as u64)).expect("it is all there");
            assert!(sent.iter().all(|piece| piece.len() <= PIECE_BYTES));
            assert!(sent.concat() == content, "{length} bytes");
        }
    }

    #[test]
    fn a_range_is_read_without_what_is_around_it_and_copies_share_no_position() {
        let content = numbered(400_000);
        let scratch = Scratch::new("range", &content);
        let file = scratch.open();
        for range in [0..10, 5..300_000, 399_999..400_000, 7..7] {
            let sent = pieces(file.clone().content(range.start as u64..range.end as u64)).expect("it is all there");
            assert!(sent.concat() == content[range]);
        }
    }

    #[test]
    fn what_remains_is_known_at_every_piece() {
        let scratch = Scratch::new("remains", &numbered(300_000));
        let Content::Pulled(mut source) = scratch.open().content(0..300_000) else { panic!("a file is pulled") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut left = 300_000;
        while let Some(piece) = runtime.block_on(poll_fn(|context| source.poll_piece(context))) {
            left -= piece.expect("it is all there").len() as u64;
            assert_eq!(source.remaining_bytes(), Some(left));
        }
        assert_eq!(left, 0);
    }

    #[test]
    fn a_file_that_has_become_shorter_breaks_off() {
        for (name, length) in [("short", 1000), ("long", 1_000_000)] {
            let scratch = Scratch::new(name, &numbered(length));
            let file = scratch.open();
            OpenOptions::new().write(true).open(&scratch.0).and_then(|file| file.set_len(500)).expect("it is cut");
            assert!(pieces(file.content(0..length as u64)).is_err());
        }
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let missing = OpenFile::open(Path::new("/nothing/there")).expect_err("it is not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let folder = OpenFile::open(&temp_dir()).expect_err("it is a folder");
        assert_eq!(folder.raw_os_error(), Some(libc::EISDIR));
        let device = OpenFile::open(Path::new("/dev/null")).expect_err("it is a device");
        assert_eq!(device.raw_os_error(), None);
    }

    #[test]
    fn a_file_tells_its_length_and_age() {
        let scratch = Scratch::new("age", b"12345");
        let file = scratch.open();
        assert_eq!(file.length_bytes(), 5);
        let age = file.modified().expect("it was written").elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(600));
        assert_eq!(file.read(1..3).expect("it is all there"), "23".as_bytes());
    }
}
