//! Kinds of characters that the comparators share.

/// Characters that take no room: joiners, soft hyphens, direction marks, fillers and variation selectors. They change how
/// a neighbour is drawn, never which character it is, so a comparison reads over them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{E0100}'..='\u{E01EF}')
}

/// Characters that no claim may carry: control characters, and those that reorder or break a line. What is shown of such
/// a text is not what it says.
pub(super) fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Chinese characters: the unified ideographs with their extensions, 〇 and 々.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{3005}' | '\u{3007}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFD}')
}

/// Characters of scripts that are written without blanks between them, and the private-use characters under which older
/// systems keep Chinese characters that they had no code for.
pub(super) fn is_unspaced(c: char) -> bool {
    is_han(c)
        || is_private(c)
        || matches!(c, '\u{3041}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' | '\u{3100}'..='\u{312F}'
            | '\u{31A0}'..='\u{31BF}' | '\u{31F0}'..='\u{31FF}' | '\u{AC00}'..='\u{D7A3}')
}

pub(super) fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// What a register shows where a rare character was lost on the way: a private-use character, or a stopgap for it.
pub(super) fn is_unreadable(c: char) -> bool {
    is_private(c) || matches!(c, '?' | '\u{FFFD}' | '\u{25A1}' | '\u{3013}')
}

/// Dots that are typed for the one between the parts of a name: to U+00B7. Full-width and half-width ones are NFKC's.
pub(super) fn middle_dot(c: char) -> char {
    match c {
        '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' | '\u{1427}' | '\u{2E31}' | '\u{2E33}'
        | '\u{A78F}' => '\u{00B7}',
        other => other,
    }
}

/// Hyphens and dashes: to U+002D.
pub(super) fn hyphen(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' => '-',
        other => other,
    }
}

/// Apostrophes, and the accents and quotation marks typed for one: to U+0027.
pub(super) fn apostrophe(c: char) -> char {
    match c {
        '\u{0060}' | '\u{00B4}' | '\u{02B9}' | '\u{02BB}' | '\u{02BC}' | '\u{2018}' | '\u{2019}' | '\u{201B}'
        | '\u{2032}' => '\'',
        other => other,
    }
}
