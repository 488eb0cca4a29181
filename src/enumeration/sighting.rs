//! What a call's subject leaves behind: keyed hashes of who it is, of its neighbours, and of the lane it lies in.
//!
//! A resident ID is division, birth date, serial and check character. Whoever walks through serials asks about a neighbour
//! of one he has asked about: same division and date, serial one or two further (two, because men have odd serials). Whoever
//! completes a masked number (`440100********0015`, the usual way to mask) asks about one lane: same division and last four
//! characters, one date after the other. Both are seen in hashes, so that no number has to be kept.

use std::fmt;

use super::sip::sip;
use crate::identifiers::{CreditCode, ResidentId};

/// Marks of neighbours of a subject.
pub(super) const NEIGHBOURS: usize = 4;
/// How far a neighbour is.
const STEPS: [i64; NEIGHBOURS] = [-2, -1, 1, 2];

/// What kind of hash it is: the same digits as another kind have another hash.
#[derive(Clone, Copy)]
enum Kind {
    Subject = 1,
    Person = 2,
    Lane = 3,
    Body = 4,
}

/// Makes marks under the node's secret.
pub struct Marker {
    key: (u64, u64),
}

/// Whom a call is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Person(&'a ResidentId),
    /// An enterprise or a public body.
    Body(&'a CreditCode),
    /// A key without an order that one could walk in.
    Other(&'a str),
}

/// A subject as the defence sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Tells subjects apart when they are counted.
    pub(super) mark: u64,
    /// Tells it from those seen lately.
    pub(super) tag: u32,
    /// Tags of its neighbours.
    pub(super) beside: Option<[u32; NEIGHBOURS]>,
    pub(super) lane: Option<u32>,
}

impl Marker {
    pub fn new(secret: &[u8; 16]) -> Self {
        let (one, two) = secret.split_at(8);
        let word = |half: &[u8]| half.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        Self { key: (word(one), word(two)) }
    }

    /// `mark` tells subjects apart; [`mark_of`] has it from the pseudonym that the audit log holds, so that a count can be
    /// made again from the log.
    pub fn sighting(&self, subject: Subject<'_>, mark: u64) -> Sighting {
        match subject {
            Subject::Person(id) => self.person(id, mark),
            Subject::Body(code) => self.body(code, mark),
            Subject::Other(_) => Sighting { mark, tag: tag(mark), beside: None, lane: None },
        }
    }

    /// A mark for a text that has no pseudonym.
    pub fn mark(&self, text: &str) -> u64 {
        self.hash(Kind::Subject, text.as_bytes(), 0)
    }

    fn person(&self, id: &ResidentId, mark: u64) -> Sighting {
        let text = id.as_str().as_bytes();
        let line = &text[..14]; // division and birth date
        let serial = number(&text[14..17], 10);
        let lane = [&text[..6], &text[14..]].concat();
        Sighting {
            mark,
            tag: self.tag(Kind::Person, line, serial),
            beside: Some(STEPS.map(|step| self.tag(Kind::Person, line, serial + step))),
            lane: Some(self.tag(Kind::Lane, &lane, 0)),
        }
    }

    /// The organisation code (GB 11714) in a credit code is a number in base 36 with a check character behind it.
    fn body(&self, code: &CreditCode, mark: u64) -> Sighting {
        let text = code.as_str().as_bytes();
        let ordinal = number(&text[8..16], 36);
        Sighting {
            mark,
            tag: self.tag(Kind::Body, &text[..8], ordinal),
            beside: Some(STEPS.map(|step| self.tag(Kind::Body, &text[..8], ordinal + step))),
            lane: None,
        }
    }

    fn tag(&self, kind: Kind, line: &[u8], ordinal: i64) -> u32 {
        tag(self.hash(kind, line, ordinal))
    }

    /// `line` is at most 64 bytes that count: keys are that short.
    fn hash(&self, kind: Kind, line: &[u8], ordinal: i64) -> u64 {
        let mut bytes = [0; 73];
        let length = line.len().min(64);
        bytes[0] = kind as u8;
        bytes[1..9].copy_from_slice(&ordinal.to_le_bytes());
        bytes[9..9 + length].copy_from_slice(&line[..length]);
        sip(self.key, &bytes[..9 + length])
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker([secret])")
    }
}

/// The mark of a subject whose pseudonym is `<key id>:<hexadecimal digits>`.
pub fn mark_of(pseudonym: &str) -> u64 {
    let digits = pseudonym.rsplit(':').next().unwrap_or_default().bytes().take(16);
    digits.fold(0, |mark, digit| mark << 4 | u64::from(char::from(digit).to_digit(16).unwrap_or(0)))
}

/// Zero stands for nothing, so no tag is zero.
fn tag(hash: u64) -> u32 {
    ((hash >> 32) as u32).max(1)
}

/// Digits, and letters in base 36, as a number.
fn number(text: &[u8], base: u32) -> i64 {
    let digit = |c: u8| i64::from(char::from(c).to_digit(base).unwrap_or(0));
    text.iter().fold(0, |number, &c| number * i64::from(base) + digit(c))
}
