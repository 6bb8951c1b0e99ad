//! The parser: chunks of a body in, parts and their bytes out.

use bytes::{Bytes, BytesMut};
use memchr::{memmem, memrchr};

use super::{Boundary, PartHead, head};
use crate::form::{FormError, FormLimits};

/// What a body says next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A part begins.
    Begun(PartHead),
    /// Some of the part's bytes: a slice of what was fed, at least one.
    Data(Bytes),
    /// The part is over.
    Ended,
}

/// Parses one `multipart/form-data` body as it arrives.
///
/// [`feed`](Self::feed) it a chunk, take events with [`next_event`](Self::next_event) until there is none, and so on;
/// [`finish`](Self::finish) after the last chunk. It keeps no more than one part's head, or as many bytes as a boundary
/// is long, and takes time in proportion to the bytes, however they are cut.
///
/// Source: RFC 2046 §5.1.1. A line that begins like a boundary and goes on is content.
#[derive(Debug)]
pub struct Parser {
    /// CR, LF, two dashes and the boundary.
    delimiter: memmem::Finder<'static>,
    head_end: memmem::Finder<'static>,
    limits: FormLimits,
    state: State,
    /// Fed, and not yet told.
    rest: Bytes,
    /// A head that came in pieces.
    head: Vec<u8>,
    /// The line break before `rest` is the delimiter's, should it go on like one: so it is where a body begins, and
    /// after a part's head.
    is_line_begun: bool,
    /// Bytes of the body before `rest`.
    told_bytes: u64,
    parts: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Before the first delimiter, where nothing counts.
    Preamble,
    /// In a part's content.
    Content,
    /// Between a delimiter and the end of its line.
    Padding,
    /// In a part's head, which begins with the end of the delimiter's line.
    Head,
    /// After the last delimiter, where nothing counts.
    Epilogue,
}

/// What was found in `rest`.
enum Found {
    /// So many bytes before anything else.
    Content(usize),
    /// A delimiter of so many bytes, and the state after it.
    Delimiter(usize, State),
    /// Nothing that can be told from what is there.
    Unknown,
}

impl Parser {
    /// A parser at the beginning of a body.
    pub fn new(boundary: &Boundary, limits: &FormLimits) -> Self {
        let delimiter = format!("\r\n--{}", boundary.as_str());
        Self {
            delimiter: memmem::Finder::new(&delimiter).into_owned(),
            head_end: memmem::Finder::new("\r\n\r\n"),
            limits: *limits,
            state: State::Preamble,
            rest: Bytes::new(),
            head: Vec::new(),
            is_line_begun: true,
            told_bytes: 0,
            parts: 0,
        }
    }

    /// Takes the next chunk, once there are no more events of the ones before.
    ///
    /// # Errors
    /// Too large where the whole body is.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FormError> {
        let so_far = self.told_bytes + self.rest.len() as u64;
        if so_far + chunk.len() as u64 > self.limits.form_bytes {
            let limit = FormLimits::words(self.limits.form_bytes);
            return Err(FormError::TooLarge(format!("the form is larger than {limit}")));
        }
        if self.rest.is_empty() {
            self.rest = chunk;
        } else {
            let mut joined = BytesMut::with_capacity(self.rest.len() + chunk.len());
            joined.extend_from_slice(&self.rest);
            joined.extend_from_slice(&chunk);
            self.rest = joined.freeze();
        }
        Ok(())
    }

    /// The next event; `None` where the next chunk is needed for it.
    ///
    /// # Errors
    /// Malformed or too large. Nothing that comes after an error has a meaning.
    pub fn next_event(&mut self) -> Result<Option<Event>, FormError> {
        loop {
            match self.state {
                State::Preamble | State::Content => match self.look() {
                    Found::Unknown => return Ok(None),
                    Found::Content(length) => {
                        let content = self.tell(length);
                        if self.state == State::Content {
                            return Ok(Some(Event::Data(content)));
                        }
                    }
                    Found::Delimiter(length, next) => {
                        self.tell(length);
                        if std::mem::replace(&mut self.state, next) == State::Content {
                            return Ok(Some(Event::Ended));
                        }
                    }
                },
                State::Padding => {
                    let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                    self.tell(blanks);
                    match self.rest[..] {
                        [] | [b'\r'] => return Ok(None),
                        [b'\r', b'\n', ..] => self.state = State::Head,
                        _ => {
                            return Err(FormError::malformed(
                                "a boundary is followed by more than blanks",
                                self.told_bytes,
                            ));
                        }
                    }
                }
                State::Head => {
                    let Some(head) = self.read_head()? else { return Ok(None) };
                    (self.state, self.is_line_begun) = (State::Content, true);
                    return Ok(Some(Event::Begun(head)));
                }
                State::Epilogue => {
                    self.tell(self.rest.len());
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the last boundary was there: what may follow means nothing.
    pub fn is_complete(&self) -> bool {
        self.state == State::Epilogue
    }

    /// Ends the body.
    ///
    /// # Errors
    /// Malformed where it ended before its last boundary.
    pub fn finish(&self) -> Result<(), FormError> {
        let place = match self.state {
            State::Epilogue => return Ok(()),
            State::Preamble => "before its first boundary, which begins a line and is a line",
            State::Content => "in the content of a part",
            State::Padding | State::Head => "in the head of a part",
        };
        let length = self.told_bytes + self.rest.len() as u64;
        Err(FormError::malformed(&format!("the form ends {place}"), length))
    }

    /// Takes bytes from what is left.
    fn tell(&mut self, length: usize) -> Bytes {
        self.told_bytes += length as u64;
        self.rest.split_to(length)
    }

    /// Looks for the next delimiter.
    fn look(&mut self) -> Found {
        let delimiter = self.delimiter.needle();
        if self.is_line_begun {
            let (rest, delimiter) = (&self.rest[..], &delimiter[2..]);
            if rest.len() < delimiter.len() && delimiter.starts_with(rest) {
                return Found::Unknown;
            }
            if rest.starts_with(delimiter) {
                match self.judge(delimiter.len()) {
                    Judged::Content => {}
                    Judged::Unknown => return Found::Unknown,
                    Judged::Delimiter(next) => return Found::Delimiter(delimiter.len(), next),
                }
            }
            self.is_line_begun = false;
        }
        let mut from = 0;
        while let Some(at) = self.delimiter.find(&self.rest[from..]).map(|at| from + at) {
            match self.judge(at + delimiter.len()) {
                Judged::Content => from = at + delimiter.len(),
                _ if at > 0 => return Found::Content(at),
                Judged::Unknown => return Found::Unknown,
                Judged::Delimiter(next) => return Found::Delimiter(delimiter.len(), next),
            }
        }
        // The bytes that may become a delimiter stay; a boundary has no CR, so there is one place where they can begin.
        let tail_at = from.max((self.rest.len() + 1).saturating_sub(delimiter.len()));
        let begun = memrchr(b'\r', &self.rest[tail_at..]).map(|at| tail_at + at);
        match begun.filter(|&at| delimiter.starts_with(&self.rest[at..])).unwrap_or(self.rest.len()) {
            0 => Found::Unknown,
            length => Found::Content(length),
        }
    }

    /// What the bytes from `at` make of the boundary before them.
    fn judge(&self, at: usize) -> Judged {
        match self.rest[at..] {
            [] | [b'-'] | [b'\r'] => Judged::Unknown,
            [b'-', b'-', ..] => Judged::Delimiter(State::Epilogue),
            [b'\r', b'\n', ..] => Judged::Delimiter(State::Head),
            [b' ' | b'\t', ..] => Judged::Delimiter(State::Padding),
            _ => Judged::Content,
        }
    }

    /// The head of a part, once all of it is there.
    fn read_head(&mut self) -> Result<Option<PartHead>, FormError> {
        // The line breaks around the fields are no part of the limit: the delimiter's own, and two after the last one.
        let limit = self.limits.head_bytes.saturating_add(6);
        let known = self.head.len();
        let at = self.told_bytes - known as u64 + 2;
        let window = &self.rest[..self.rest.len().min(limit.saturating_sub(known))];
        let (end, head) = if known == 0 {
            (self.head_end.find(window), window)
        } else {
            self.head.extend_from_slice(window);
            let from = known.saturating_sub(3);
            (self.head_end.find(&self.head[from..]).map(|end| from + end), &self.head[..])
        };
        if let Some(end) = end {
            if self.parts == self.limits.parts {
                return Err(FormError::TooLarge(format!("the form has more than {} parts", self.limits.parts)));
            }
            let parsed = head::parse(&head[2.min(end)..end], at, self.limits.head_fields)?;
            self.parts += 1;
            self.tell(end + 4 - known);
            self.head.clear();
            return Ok(Some(parsed));
        }
        if head.len() >= limit {
            let limit = FormLimits::words(self.limits.head_bytes as u64);
            return Err(FormError::TooLarge(format!("the header fields of a part are larger than {limit}")));
        }
        if known == 0 {
            self.head.extend_from_slice(window);
        }
        let length = window.len();
        self.tell(length);
        Ok(None)
    }
}

/// What stands after a boundary decides what it is.
enum Judged {
    Delimiter(State),
    Content,
    Unknown,
}
