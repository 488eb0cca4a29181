//! Service item codes: GB/T 39554.1.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    CreditCode, IdentifierError,
    text::{folded, serde_as_text},
};

const KIND: &str = "service item code";

/// The code of a government service item (GB/T 39554.1).
///
/// Holds one of: a basic code of 12; an implementation code of 31 (the carrying department's credit code, the level 1 to
/// 6, the basic code); a handling code of 33 (an implementation code and two more).
///
/// The lengths of 12 and 31 and the split of the 31 are seen in codes in use, whose credit codes check. Believed, and
/// therefore not looked into: the split of a basic code (division 2, type 2, department 2, main item 3, sub-item 3) and
/// the two last characters of a handling code.
///
/// ```
/// use shuqiao::identifiers::ItemCode;
/// assert!("11440100MB9YYY997R3440101001000".parse::<ItemCode>().is_ok());
/// assert!("11440100MB9YYY997R7440101001000".parse::<ItemCode>().is_err()); // there is no level 7
/// assert!("11440100MB9YYY997X3440101001000".parse::<ItemCode>().is_err()); // a wrong credit code
/// assert!("3440101001000".parse::<ItemCode>().is_err()); // 13 characters
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemCode(Arc<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemCodeKind {
    Basic,
    Implementation,
    Handling,
}

impl ItemCodeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Implementation => "implementation",
            Self::Handling => "handling",
        }
    }
}

impl ItemCode {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn kind(&self) -> ItemCodeKind {
        match self.0.len() {
            12 => ItemCodeKind::Basic,
            31 => ItemCodeKind::Implementation,
            _ => ItemCodeKind::Handling,
        }
    }

    /// The department that carries the item out; a basic code names none.
    pub fn authority(&self) -> Option<CreditCode> {
        self.0.get(..18).filter(|_| self.kind() != ItemCodeKind::Basic).and_then(|code| code.parse().ok())
    }

    /// Level at which the item is carried out: 1 nation, 2 province, 3 city, 4 county, 5 town, 6 village.
    pub fn level(&self) -> Option<u8> {
        (self.kind() != ItemCodeKind::Basic).then(|| self.0.as_bytes()[18] - b'0')
    }

    /// The basic code in it.
    pub fn basic(&self) -> &str {
        match self.kind() {
            ItemCodeKind::Basic => &self.0,
            ItemCodeKind::Implementation | ItemCodeKind::Handling => &self.0[19..31],
        }
    }
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

impl FromStr for ItemCode {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        if !text.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) {
            return Err(wrong("it has a character that is not a digit or a letter"));
        }
        match text.len() {
            12 => {}
            31 | 33 => {
                let authority = text[..18].parse::<CreditCode>();
                authority.map_err(|error| wrong(&format!("the credit code in its first 18 characters: {error}")))?;
                if !(b'1'..=b'6').contains(&text.as_bytes()[18]) {
                    return Err(wrong("the level (position 19) is not 1 to 6"));
                }
            }
            length => {
                return Err(wrong(&format!(
                    "it has {length} characters, not 31 (12 for a basic code, 33 for a handling code)"
                )));
            }
        }
        Ok(Self(text.as_ref().into()))
    }
}

serde_as_text!(ItemCode);

impl fmt::Debug for ItemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemCode({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_implementation_code_names_its_department_and_level() {
        let code: ItemCode = "11370800MB285591843370117002011".parse().unwrap();
        assert_eq!(code.kind(), ItemCodeKind::Implementation);
        assert_eq!(code.authority().unwrap().as_str(), "11370800MB28559184");
        assert_eq!((code.level(), code.basic()), (Some(3), "370117002011"));
        let handling: ItemCode = "11440100mb9yyy997r344010100100001".parse().unwrap();
        assert_eq!((handling.kind(), handling.basic()), (ItemCodeKind::Handling, "440101001000"));
        let basic: ItemCode = "440101001000".parse().unwrap();
        assert_eq!((basic.kind(), basic.authority(), basic.level()), (ItemCodeKind::Basic, None, None));
    }

    #[test]
    fn what_is_wrong_is_refused_for_its_own_reason() {
        for (text, reason) in [
            ("", "0 characters"),
            ("11440100MB9YYY997R7440101001000", "level"),
            ("11440100MB9YYY997T3440101001000", "check character"),
            ("11440100MB9YYY997R344010100100", "30 characters"),
            ("11440100MB9YYY997R3440101001-00", "not a digit"),
            ("一二三四", "not a digit"),
        ] {
            let error = text.parse::<ItemCode>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn printing_and_reading_is_identity(level in "[1-6]", basic in "[0-9A-Z]{12}", handling in "|[0-9]{2}") {
            for text in [format!("11440100MB9YYY997R{level}{basic}{handling}"), basic.clone()] {
                let code: ItemCode = text.parse().unwrap();
                proptest::prop_assert_eq!(code.as_str(), &text);
                proptest::prop_assert_eq!(code.basic(), &basic);
                proptest::prop_assert_eq!(serde_json::from_value(serde_json::json!(code)).ok(), Some(code));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[0-9A-Z]{31}|[0-9A-Z]{33}") {
            let _ = text.parse::<ItemCode>();
        }
    }
}
