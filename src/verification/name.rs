//! Names, as a clerk reads them.
//!
//! Brings a name to one form, in which full-width forms, blanks, the many middle dots, Latin case, hyphens and
//! apostrophes no longer differ. Chinese characters that differ stay different: simplified and traditional forms are two
//! names, and so are variants with code points of their own. Only what Unicode declares to be one character twice (NFKC:
//! compatibility ideographs, radicals used as characters) becomes one.
//!
//! Private-use characters are not translated. Two systems may keep different characters under the same one, so what looks
//! like a translation table would let one person pass for another; see [`differ_only_where_unreadable`] instead.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::spelling::{apostrophe, hyphen, is_han, is_invisible, is_unreadable, is_unspaced, middle_dot};

/// What a match says that needed the form.
pub(super) const RULE: &str = "name-normalised";

const DOT: char = '\u{00B7}';

/// The name in its one form; the form of a form is itself. Most names of a register are in it already and are borrowed.
pub(super) fn form(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_settled) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        let lower: String = text.chars().map(|c| apostrophe(c.to_ascii_lowercase())).collect();
        return Cow::Owned(full_stops(&blanks(&lower)));
    }
    // A lone acute accent is an apostrophe to whoever typed it; NFKC would make it a blank with an accent.
    let characters = text.chars().filter(|c| !is_invisible(*c)).map(apostrophe).nfkc();
    // To capitals and back, so that `ß` meets `SS` as it stands in the machine-readable line of a passport.
    let lower = characters.flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let folded: String = lower.map(|c| middle_dot(hyphen(apostrophe(c)))).collect();
    // Composed again at the end: lower case and lost blanks bring letters and accents together.
    Cow::Owned(full_stops(&blanks(&folded)).nfc().collect())
}

/// Characters that the form leaves alone wherever they stand.
fn is_settled(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-' | '\'' | DOT | '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}'
        | '\u{20000}'..='\u{2EE5D}')
}

/// Blanks parted from the text around them: none at the ends, beside a Chinese character or beside a middle dot; one
/// elsewhere.
fn blanks(text: &str) -> String {
    let takes_none = |c: char| is_unspaced(c) || c == DOT;
    let mut kept = String::with_capacity(text.len());
    let mut blank_before = false;
    for c in text.chars() {
        if c.is_whitespace() {
            blank_before = true;
            continue;
        }
        if blank_before && !takes_none(c) && kept.chars().next_back().is_some_and(|last| !takes_none(last)) {
            kept.push(' ');
        }
        blank_before = false;
        kept.push(c);
    }
    kept
}

/// A full stop between two Chinese characters is a middle dot on a keyboard that has none. Between Latin letters it is
/// the end of an abbreviation and stays.
fn full_stops(text: &str) -> String {
    let mut before = None;
    let mut rest = text.chars().peekable();
    let mut kept = String::with_capacity(text.len() + 1);
    while let Some(c) = rest.next() {
        let between = before.is_some_and(is_han) && rest.peek().copied().is_some_and(is_han);
        kept.push(if c == '.' && between { DOT } else { c });
        before = Some(c);
    }
    kept
}

/// Do the two forms agree wherever the register's is readable, and does the register's have characters that are not?
///
/// Then the register cannot say: a rare character was lost when an older system wrote it (`?`, `□`), or stands there as a
/// private-use character. Only the register's side is read so, or a claim could be made of jokers.
pub(super) fn differ_only_where_unreadable(claimed: &str, registered: &str) -> bool {
    if claimed.chars().count() != registered.chars().count() || !registered.chars().any(is_unreadable) {
        return false;
    }
    // Every pair is looked at, so that the time taken does not tell where the first difference is.
    claimed
        .chars()
        .zip(registered.chars())
        .fold(true, |agree, (claimed, registered)| agree & ((claimed == registered) | is_unreadable(registered)))
}

#[cfg(test)]
mod tests;
