//! The bytes of JSON: white space, strings and numbers. Nothing of Python's is here.

use cello_kernel::json_specials;

/// What is wrong with a document, and at which of its bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// A number as it was written.
#[derive(Debug, PartialEq)]
pub(super) enum Number<'text> {
    Small(i64),
    /// Beyond 64 bits: its sign and digits.
    Big(&'text str),
    Float(f64),
}

/// A place in a document, which has been checked to be UTF-8.
pub(super) struct Scanner<'text> {
    text: &'text str,
    at: usize,
    /// What a string with escapes stands for.
    unescaped: String,
}

impl<'text> Scanner<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self { text, at: 0, unescaped: String::new() }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn malformed<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space, not taken.
    pub(super) fn peek_token(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes the byte that was peeked at.
    pub(super) fn take(&mut self) {
        self.at += 1;
    }

    /// Takes `word`, if it comes next.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// The string whose opening quote comes next.
    pub(super) fn string(&mut self) -> Result<&str, Malformed> {
        let opening = self.at;
        self.at += 1;
        let from = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(&self.text[from..self.at - 1]);
        }
        self.unescaped.clear();
        self.unescaped.push_str(&self.text[from..self.at]);
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.unescaped.push(character);
                }
                Some(_) => return self.malformed("a control character in a string must be escaped"),
                None => return Err(Malformed { at: opening, what: "the string that begins here does not end" }),
            }
            let from = self.at;
            self.skip_plain();
            self.unescaped.push_str(&self.text[from..self.at]);
        }
        self.at += 1;
        Ok(&self.unescaped)
    }

    /// Goes on to the next quote, backslash or control character, or to the end.
    fn skip_plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let (words, tail) = rest.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            let found = json_specials(u64::from_le_bytes(*word));
            if found != 0 {
                self.at += index * 8 + found.trailing_zeros() as usize / 8;
                return;
            }
        }
        let plain = tail.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
        self.at += words.len() * 8 + plain.unwrap_or(tail.len());
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let start = self.at;
        self.at += 2;
        let character = match self.text.as_bytes().get(start + 1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.hexadecimal_escape(start),
            _ => return Err(Malformed { at: start, what: "there is no such escape" }),
        };
        Ok(character)
    }

    /// `\uXXXX`, or two of them for a character beyond the first 65,536.
    fn hexadecimal_escape(&mut self, start: usize) -> Result<char, Malformed> {
        const LONE: &str = "half of a surrogate pair stands alone";
        let first = self.four_digits(start)?;
        let code = match first {
            0xd800..0xdc00 if self.takes("\\u") => match self.four_digits(self.at - 2)? {
                second @ 0xdc00..0xe000 => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => return Err(Malformed { at: start, what: LONE }),
            },
            _ => first,
        };
        char::from_u32(code).ok_or(Malformed { at: start, what: LONE })
    }

    fn four_digits(&mut self, escape_at: usize) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| (byte as char).to_digit(16));
            let Some(digit) = digit else {
                return Err(Malformed { at: escape_at, what: "\\u takes four hexadecimal digits" });
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// The number whose sign or first digit comes next.
    pub(super) fn number(&mut self) -> Result<Number<'text>, Malformed> {
        let start = self.at;
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let digits_from = self.at;
        let mut magnitude: i64 = 0;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            // Of more than 18 digits nothing of this is used.
            magnitude = magnitude.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
            self.at += 1;
        }
        let count = self.at - digits_from;
        if count == 0 {
            return self.malformed("a digit must follow the minus");
        }
        if count > 1 && self.text.as_bytes()[digits_from] == b'0' {
            return Err(Malformed { at: digits_from, what: "a number does not begin with zeros" });
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return self.float(start);
        }
        if count <= 18 {
            return Ok(Number::Small(if is_negative { -magnitude } else { magnitude }));
        }
        let digits = &self.text[start..self.at];
        Ok(digits.parse().map_or(Number::Big(digits), Number::Small))
    }

    fn float(&mut self, start: usize) -> Result<Number<'text>, Malformed> {
        if self.takes(".") {
            self.digits("a digit must follow the point")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits("a digit must stand in the exponent")?;
        }
        match self.text[start..self.at].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Float(number)),
            _ => Err(Malformed { at: start, what: "the number is too large" }),
        }
    }

    fn digits(&mut self, what: &'static str) -> Result<(), Malformed> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == from { self.malformed(what) } else { Ok(()) }
    }
}

/// Whether what a library wrote as JSON has no NaN or infinity and nests no deeper than `levels`.
pub(super) fn is_json_within(written: &[u8], levels: usize) -> bool {
    // Nearly always a glance is enough.
    let nests = written.iter().filter(|&&byte| byte == b'[' || byte == b'{').count();
    if nests <= levels && !written.windows(3).any(|word| word == b"NaN" || word == b"Inf") {
        return true;
    }
    let Ok(text) = std::str::from_utf8(written) else { return false };
    let (mut scanner, mut depth, mut deepest) = (Scanner::new(text), 0_usize, 0);
    while let Some(byte) = scanner.peek_token() {
        match byte {
            b'"' if scanner.string().is_err() => return false,
            b'"' => continue,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'N' | b'I' => return false,
            _ => {}
        }
        deepest = deepest.max(depth);
        scanner.take();
    }
    deepest <= levels
}
