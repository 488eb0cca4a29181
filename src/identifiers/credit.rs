//! Unified social credit codes: GB 32100.

use std::{fmt, str::FromStr};

use super::{
    IdentifierError,
    text::{ascii, folded, serde_as_text},
};

const KIND: &str = "credit code";
/// The standard's 31 characters; the index is the value. I, O, S, V and Z are left out because they are misread.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Value of each byte in the alphabet, `u8::MAX` for a stranger: registers have millions of codes to check.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};
/// Weights of the first 17 characters: powers of three modulo 31.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// Weights of an organisation code's eight characters (GB 11714).
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The code of a legal person or other organisation (GB 32100): registrar, kind, division, body, check character.
///
/// Holds: 18 characters of the standard's alphabet, upper case; the right check character (modulo 31); and in the body
/// (positions 9 to 17) a right organisation code (GB 11714), a second check that catches more fakes.
///
/// ```
/// use shuqiao::identifiers::CreditCode;
/// assert!("91440300ma9tett93t".parse::<CreditCode>().is_ok());
/// assert!("91440300MA9TETT93U".parse::<CreditCode>().is_err()); // wrong check character
/// assert!("91440300MA9TETT93S".parse::<CreditCode>().is_err()); // S is not in the alphabet
/// assert!("91440300MA9TETT93".parse::<CreditCode>().is_err()); // too short
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CreditCode([u8; 18]);

impl CreditCode {
    /// The code with these parts; both check characters are computed.
    pub fn from_parts(authority: char, category: char, division: u32, body: [u8; 8]) -> Result<Self, IdentifierError> {
        let mut code = [b'0'; 18];
        code[0] = u8::try_from(authority).map_err(|_| stranger(authority))?;
        code[1] = u8::try_from(category).map_err(|_| stranger(category))?;
        let digits = format!("{division:06}");
        code[2..8].copy_from_slice(
            digits
                .as_bytes()
                .get(..6)
                .filter(|_| digits.len() == 6)
                .ok_or_else(|| wrong("a division has six digits"))?,
        );
        code[8..16].copy_from_slice(&body);
        code[16] = body_check(&code).ok_or_else(|| wrong("the body has a character outside 0-9 and A-Z"))?;
        code[17] = check(&code)?;
        Self::from_characters(code)
    }

    fn from_characters(code: [u8; 18]) -> Result<Self, IdentifierError> {
        if check(&code)? != code[17] {
            return Err(wrong("the check character is wrong"));
        }
        if body_check(&code) != Some(code[16]) {
            return Err(wrong("the check character of the organisation code in it (position 17) is wrong"));
        }
        if !code[2..8].iter().all(u8::is_ascii_digit) {
            return Err(wrong("the division (positions 3 to 8) is not six digits"));
        }
        Ok(Self(code))
    }

    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// Who registered the body: 1 staffing office, 5 civil affairs, 9 market regulation, and others.
    pub fn authority(&self) -> char {
        char::from(self.0[0])
    }

    /// Which kind of body, within the registrar's kinds.
    pub fn category(&self) -> char {
        char::from(self.0[1])
    }

    /// Division of registration, six digits.
    pub fn division_digits(&self) -> &str {
        ascii(&self.0[2..8])
    }

    /// The organisation code in it (GB 11714), nine characters.
    pub fn organisation_code(&self) -> &str {
        ascii(&self.0[8..17])
    }
}

fn check(code: &[u8; 18]) -> Result<u8, IdentifierError> {
    let mut sum = 0;
    for (&character, weight) in code.iter().zip(WEIGHTS) {
        sum += value(character)? * weight;
    }
    value(code[17])?;
    Ok(ALPHABET[((31 - sum % 31) % 31) as usize])
}

fn value(character: u8) -> Result<u32, IdentifierError> {
    match VALUES[usize::from(character)] {
        u8::MAX => Err(stranger(char::from(character))),
        value => Ok(u32::from(value)),
    }
}

/// Check character of the organisation code at positions 9 to 16.
fn body_check(code: &[u8; 18]) -> Option<u8> {
    let mut sum = 0;
    for (&character, weight) in code[8..16].iter().zip(BODY_WEIGHTS) {
        sum += char::from(character).to_digit(36).filter(|_| !character.is_ascii_lowercase())? * weight;
    }
    Some(match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    })
}

fn stranger(character: char) -> IdentifierError {
    let hint = match character {
        'I' => ". Is it a 1?",
        'O' => ". Is it a 0?",
        'S' => ". Is it a 5?",
        'V' => ". Is it a U or a Y?",
        'Z' => ". Is it a 2?",
        _ => "",
    };
    let shown = if character.is_control() { '?' } else { character };
    wrong(&format!("`{shown}` is not a character of a credit code{hint}"))
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

impl FromStr for CreditCode {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        let length = text.chars().count();
        if length != 18 {
            return Err(wrong(&format!("it has {length} characters, not 18")));
        }
        if let Some(foreign) = text.chars().find(|c| !c.is_ascii()) {
            return Err(stranger(foreign));
        }
        let code = text.as_bytes().try_into().map_err(|_| wrong("it has not 18 characters"))?;
        Self::from_characters(code)
    }
}

serde_as_text!(CreditCode);

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditCode({}**************{})", ascii(&self.0[..2]), ascii(&self.0[16..]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_public_bodies_and_made_up_ones() {
        for text in [
            "11100000000013338W",
            "11430000006122244L",
            "11110000000021135M",
            "11330105002500287C",
            "11420503087246977F",
            "11100000MB0341032Y",
            "11100000MB03271699",
            "11100000000013661B",
            "113700000045046442",
            "11440000000999993T",
            "11440100MB9YYY997R",
            "1244000045599999XY",
            "91440300MA9TETT93T",
            "92441900MA9YYYY171",
            "5244530099999998X1",
            "91440300ma9tett93t",
            "９１４４０３００ＭＡ９ＴＥＴＴ９３Ｔ",
        ] {
            assert!(text.parse::<CreditCode>().is_ok(), "{text}: {:?}", text.parse::<CreditCode>());
        }
    }

    #[test]
    fn what_is_wrong_is_refused_for_its_own_reason() {
        for (text, reason) in [
            ("9I440300MA9TETT93T", "Is it a 1?"),
            ("9144O300MA9TETT93T", "Is it a 0?"),
            ("91440300MA9TETT93S", "Is it a 5?"),
            ("91440300MV9TETT93T", "Is it a U or a Y?"),
            ("91440300MZ9TETT93T", "Is it a 2?"),
            ("91440300-A9TETT93T", "`-` is not a character of a credit code"),
            ("91440300MA9TETT93U", "check character"),
            ("91440300MA9TETT93", "17 characters"),
            ("91440300MA9TETT9三T", "三"),
            ("", "0 characters"),
        ] {
            let error = text.parse::<CreditCode>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    /// Both check characters right, whatever stands before them.
    fn sealed(text: &str, position_17: Option<u8>) -> String {
        let mut code: [u8; 18] = text.as_bytes().try_into().unwrap();
        code[16] = position_17.or_else(|| body_check(&code)).unwrap();
        code[17] = check(&code).unwrap();
        ascii(&code).to_owned()
    }

    #[test]
    fn a_code_is_refused_for_the_organisation_code_in_it_alone() {
        for digit in b"0123456789X" {
            let code = sealed("91440300MA9TETT93T", Some(*digit));
            let error = code.parse::<CreditCode>().map_err(|error| error.reason);
            assert_eq!(error.is_ok(), *digit == b'3', "{code}");
            assert!(error.err().is_none_or(|reason| reason.contains("position 17")), "{code}");
        }
    }

    #[test]
    fn the_division_is_digits_even_where_the_checks_are_right() {
        let error = sealed("91A40300MA9TETT93T", None).parse::<CreditCode>().unwrap_err();
        assert!(error.reason.contains("positions 3 to 8"), "{error}");
    }

    #[test]
    fn the_parts_are_told_and_make_the_code_again() {
        let code: CreditCode = "5244530099999998X1".parse().unwrap();
        assert_eq!((code.authority(), code.category(), code.division_digits()), ('5', '2', "445300"));
        assert_eq!(code.organisation_code(), "99999998X");
        assert_eq!(CreditCode::from_parts('5', '2', 445_300, *b"99999998"), Ok(code));
        for (authority, division, body) in [
            ('é', 445_300, b"99999998"),
            ('五', 445_300, b"99999998"),
            ('5', 1_445_300, b"99999998"),
            ('5', 445_300, b"9999999o"),
            ('5', 445_300, b"9999999\xff"),
            ('5', 445_300, b"9999999O"),
        ] {
            assert!(
                CreditCode::from_parts(authority, '2', division, *body).is_err(),
                "{authority} {division} {body:?}"
            );
        }
    }

    #[test]
    fn a_log_shows_the_ends_only() {
        let code: CreditCode = "91440300MA9TETT93T".parse().unwrap();
        assert_eq!(format!("{code:?}"), "CreditCode(91**************3T)");
        assert_eq!(code.to_string(), "91440300MA9TETT93T");
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"91440300MA9TETT93T\"");
        assert_eq!(serde_json::from_str::<CreditCode>("\"91440300ma9tett93t\"").unwrap(), code);
    }

    fn any_code() -> impl Strategy<Value = CreditCode> {
        (440_100..445_300_u32, "[0-9A-HJ-NP-RTUWXY]{8}").prop_map(|(division, body)| {
            CreditCode::from_parts('9', '1', division, body.as_bytes().try_into().unwrap()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_identity(code in any_code()) {
            prop_assert_eq!(code.as_str().parse::<CreditCode>().unwrap(), code);
        }

        /// 31 is prime and no weight is a multiple of it: no single change keeps the sum.
        #[test]
        fn every_changed_character_is_caught(code in any_code()) {
            for at in 0..18 {
                for other in ALPHABET {
                    let mut bytes = code.0;
                    bytes[at] = *other;
                    prop_assert_eq!(bytes == code.0, ascii(&bytes).parse::<CreditCode>().is_ok());
                }
            }
        }

        /// Neighbouring weights differ modulo 31: no swap of two different neighbours keeps the sum.
        #[test]
        fn every_adjacent_swap_is_caught(code in any_code()) {
            for at in 0..17 {
                let mut bytes = code.0;
                bytes.swap(at, at + 1);
                prop_assert_eq!(bytes == code.0, ascii(&bytes).parse::<CreditCode>().is_ok());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}|[0-9A-Za-z]{18}") {
            let _ = text.parse::<CreditCode>();
        }
    }
}
