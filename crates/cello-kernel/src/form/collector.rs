//! Collects the parts of a `multipart/form-data` body: in memory, or in temporary files.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::spill::Spill;
use super::{Form, FormError, FormLimits, Part, PartContent, Pieces, media_type};
use crate::multipart::{Boundary, Event, Parser, PartHead};

/// Gathers a form as it arrives. A file beyond `memory_bytes` goes to an anonymous temporary file, in pieces of that
/// size, so that no more of it is ever in memory.
#[derive(Debug)]
pub struct Collector {
    parser: Parser,
    limits: FormLimits,
    folder: Option<Arc<Path>>,
    parts: Vec<Part>,
    /// Bytes of memory that `parts` hold.
    parts_bytes: usize,
    open: Option<Open>,
    /// A write was begun whose end is not known.
    is_writing: bool,
}

/// The part that is arriving.
#[derive(Debug)]
struct Open {
    head: PartHead,
    is_over: bool,
    /// Bytes that came, on disk or not.
    size: u64,
    /// Those that are not on disk.
    bytes: Pieces,
    file: Option<Arc<File>>,
    /// What the first bytes of a file say, looked at before they leave the memory.
    media_type: Option<String>,
}

impl Collector {
    /// A collector at the beginning of a body.
    pub fn new(boundary: &Boundary, limits: &FormLimits) -> Self {
        Self {
            parser: Parser::new(boundary, limits),
            limits: *limits,
            folder: None,
            parts: Vec::new(),
            parts_bytes: 0,
            open: None,
            is_writing: false,
        }
    }

    /// Makes temporary files in `folder`, in place of the system's (`TMPDIR`, or `/tmp`).
    pub fn with_folder(self, folder: Arc<Path>) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Takes the next chunk. While it is written to disk, which happens on tokio's threads for what blocks, this waits:
    /// nothing more should be read from the client meanwhile.
    ///
    /// # Errors
    /// Malformed or too large; storage where a temporary file cannot be written, or a call before was dropped while it
    /// waited. The form is lost with any of them.
    pub async fn receive(&mut self, chunk: Bytes) -> Result<(), FormError> {
        self.begin(chunk)?;
        while let Some(spill) = self.advance()? {
            let written = tokio::task::spawn_blocking(|| spill.write()).await;
            self.note_written(written.unwrap_or_else(|error| Err(io::Error::other(error))))?;
        }
        Ok(())
    }

    /// As `receive`, but what goes to disk is written on this thread.
    ///
    /// # Errors
    /// Those of `receive`.
    pub fn receive_in_place(&mut self, chunk: Bytes) -> Result<(), FormError> {
        self.begin(chunk)?;
        while let Some(spill) = self.advance()? {
            self.note_written(spill.write())?;
        }
        Ok(())
    }

    /// The form, after the last chunk.
    ///
    /// # Errors
    /// Malformed where the body ended before its last boundary.
    pub fn finish(self) -> Result<Form, FormError> {
        self.parser.finish()?;
        Ok(Form { parts: self.parts })
    }

    /// Bytes of memory held by what has arrived.
    pub fn held_bytes(&self) -> usize {
        self.parts_bytes + self.open.as_ref().map_or(0, |open| open.bytes.held_bytes())
    }

    fn begin(&mut self, chunk: Bytes) -> Result<(), FormError> {
        if self.is_writing {
            return Err(FormError::Storage(io::Error::other("a write before was not waited for")));
        }
        self.parser.feed(chunk)
    }

    /// Goes on until something has to be written, or the chunk is used up.
    fn advance(&mut self) -> Result<Option<Spill>, FormError> {
        loop {
            if let Some(open) = &mut self.open {
                let is_whole_in_memory = open.is_over && open.file.is_none();
                let needs_disk = open.is_file() && open.bytes.len() > self.limits.memory_bytes;
                if needs_disk || (open.is_over && !is_whole_in_memory && !open.bytes.is_empty()) {
                    self.is_writing = true;
                    return Ok(Some(open.spill(self.folder.clone())));
                }
                if open.is_over {
                    self.close();
                }
            }
            match self.parser.next_event()? {
                None => return Ok(None),
                Some(Event::Begun(head)) => self.open = Some(Open::new(head)),
                Some(Event::Data(data)) => {
                    if let Some(open) = &mut self.open {
                        open.append(data, &self.limits)?;
                    }
                }
                Some(Event::Ended) => {
                    if let Some(open) = &mut self.open {
                        open.is_over = true;
                    }
                }
            }
        }
    }

    fn note_written(&mut self, written: io::Result<Arc<File>>) -> Result<(), FormError> {
        let file = written.map_err(FormError::Storage)?;
        self.is_writing = false;
        if let Some(open) = &mut self.open {
            open.file = Some(file);
        }
        Ok(())
    }

    /// Makes a part of what arrived.
    fn close(&mut self) {
        let Some(part) = self.open.take().and_then(Open::into_part) else { return };
        self.parts_bytes += part.held_bytes();
        self.parts.push(part);
    }
}

impl Open {
    fn new(head: PartHead) -> Self {
        Self { head, is_over: false, size: 0, bytes: Pieces::default(), file: None, media_type: None }
    }

    /// Whether it is a file: it has a file's name, or the type of what is no text.
    fn is_file(&self) -> bool {
        let is_binary = |content_type: &String| media_type::is_unknown(content_type);
        self.head.filename.is_some() || self.head.content_type.as_ref().is_some_and(is_binary)
    }

    fn append(&mut self, data: Bytes, limits: &FormLimits) -> Result<(), FormError> {
        self.size += data.len() as u64;
        let (what, limit) = if self.is_file() { ("file", limits.file_bytes) } else { ("field", limits.field_bytes) };
        if self.size > limit {
            // A name may be as long as a head: what is answered with is short.
            let (name, limit) = (self.head.name.chars().take(64).collect::<String>(), FormLimits::words(limit));
            return Err(FormError::TooLarge(format!("the {what} {name:?} is larger than {limit}")));
        }
        self.bytes.push(data);
        Ok(())
    }

    fn spill(&mut self, folder: Option<Arc<Path>>) -> Spill {
        if self.file.is_none() {
            self.media_type = Some(media_type::of(self.head.content_type.as_deref(), &self.bytes.beginning()));
        }
        Spill { file: self.file.clone(), bytes: std::mem::take(&mut self.bytes), folder }
    }

    /// The part; `None` for what a browser sends where no file was chosen: a file without a name or a byte.
    fn into_part(mut self) -> Option<Part> {
        let is_file = self.is_file();
        let PartHead { name, filename, content_type } = self.head;
        self.bytes.shrink();
        if !is_file {
            return Some(Part::field(name, content_type, self.bytes));
        }
        let filename = filename.unwrap_or_default();
        if filename.is_empty() && self.size == 0 {
            return None;
        }
        let media_type =
            self.media_type.unwrap_or_else(|| media_type::of(content_type.as_deref(), &self.bytes.beginning()));
        let content = match self.file {
            Some(file) => PartContent::File(file, self.size),
            None => PartContent::Memory(self.bytes),
        };
        let (filename, detected) = (Some(filename), Some(media_type));
        Some(Part { name, filename, content_type: detected, declared_content_type: content_type, content })
    }
}
