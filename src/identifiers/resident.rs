//! Resident identity numbers: GB 11643.

use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate};

use super::{
    IdentifierError,
    division::is_province,
    text::{ascii, folded, serde_as_text},
};

const KIND: &str = "resident ID";
/// Check characters by remainder (ISO 7064 MOD 11-2).
const CHECK: &[u8; 11] = b"10X98765432";
/// Numbers are given out since 1984, so an earlier birth year is a slip of the pen.
const YEAR_MIN: u32 = 1800;
/// Weights of the first 17 digits: powers of two modulo 11.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The number of a natural person (GB 11643): division, birth date, serial, check character.
///
/// Holds: 17 digits and a digit or `X`; a province of GB/T 2260, or a residence permit's 810000, 820000 or 830000, or a
/// permanent residence card's 9; a day of the calendar; the right check character (ISO 7064 MOD 11-2). The county is not
/// looked up: it is the one of the first issuance, and abolished codes live on people's cards.
///
/// ```
/// use shuqiao::identifiers::ResidentId;
/// assert!("11010519491231002x".parse::<ResidentId>().is_ok());
/// assert!("110105194912310021".parse::<ResidentId>().is_err()); // wrong check character
/// assert!("44030018990229001X".parse::<ResidentId>().is_err()); // 1899 was no leap year
/// assert!("440524800101001".parse::<ResidentId>().is_err()); // 15 digits: the old form
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResidentId([u8; 18]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    Female,
    Male,
}

/// Which document carries the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidentDocument {
    IdentityCard,
    HongKongResidencePermit,
    MacaoResidencePermit,
    TaiwanResidencePermit,
    ForeignPermanentResidence,
}

impl ResidentDocument {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentityCard => "resident identity card",
            Self::HongKongResidencePermit => "residence permit for Hong Kong residents",
            Self::MacaoResidencePermit => "residence permit for Macao residents",
            Self::TaiwanResidencePermit => "residence permit for Taiwan residents",
            Self::ForeignPermanentResidence => "foreign permanent resident identity card",
        }
    }
}

impl ResidentId {
    /// The number with this division, birth date and serial; the check character is computed.
    pub fn from_parts(division: u32, birth: NaiveDate, serial: u16) -> Result<Self, IdentifierError> {
        let mut digits = [b'0'; 18];
        let year = u32::try_from(birth.year()).map_err(|_| wrong("the birth date lies before our era"))?;
        let parts = [(0, 6, division), (6, 4, year), (10, 2, birth.month()), (12, 2, birth.day())];
        for (start, length, number) in parts.into_iter().chain([(14, 3, u32::from(serial))]) {
            write_number(&mut digits[start..start + length], number)?;
        }
        digits[17] = check(&digits);
        Self::from_digits(digits)
    }

    /// The 18-character form of a 15-digit number, which was issued until 1999: the century is 19.
    pub fn from_fifteen_digits(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        let old: &[u8; 15] = text.as_bytes().try_into().map_err(|_| wrong("it has not 15 digits"))?;
        let mut digits = [b'0'; 18];
        digits[..6].copy_from_slice(&old[..6]);
        digits[6..8].copy_from_slice(b"19");
        digits[8..17].copy_from_slice(&old[6..]);
        if !digits[..17].iter().all(u8::is_ascii_digit) {
            return Err(wrong("it has not 15 digits"));
        }
        digits[17] = check(&digits);
        Self::from_digits(digits)
    }

    fn from_digits(digits: [u8; 18]) -> Result<Self, IdentifierError> {
        if !digits[..17].iter().all(u8::is_ascii_digit) || !(digits[17].is_ascii_digit() || digits[17] == b'X') {
            return Err(wrong("it is not 17 digits and a digit or X"));
        }
        let id = Self(digits);
        check_prefix(&digits)?;
        let (year, month, day) = (number(&digits[6..10]), number(&digits[10..12]), number(&digits[12..14]));
        if NaiveDate::from_ymd_opt(year.cast_signed(), month, day).is_none() {
            return Err(wrong(&format!("{year:04}-{month:02}-{day:02} is not a date in the calendar")));
        }
        if year < YEAR_MIN {
            return Err(wrong(&format!("nobody with a number was born before {YEAR_MIN}")));
        }
        if check(&digits) != digits[17] {
            return Err(wrong("the check character is wrong"));
        }
        Ok(id)
    }

    /// Refuse a birth date after `today`.
    pub fn check_on(&self, today: NaiveDate) -> Result<(), IdentifierError> {
        if self.birth_date() > today { Err(wrong("the birth date lies in the future")) } else { Ok(()) }
    }

    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    pub fn birth_date(&self) -> NaiveDate {
        let (year, month, day) = (number(&self.0[6..10]), number(&self.0[10..12]), number(&self.0[12..14]));
        NaiveDate::from_ymd_opt(year.cast_signed(), month, day)
            .expect("the constructor has found the day in the calendar")
    }

    /// The 17th digit is odd for men.
    pub fn sex(&self) -> Sex {
        if self.0[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    /// The division of the first issuance, six digits; it may have been abolished since.
    pub fn division_digits(&self) -> &str {
        ascii(&self.0[..6])
    }

    pub fn document(&self) -> ResidentDocument {
        match &self.0[..2] {
            b"81" => ResidentDocument::HongKongResidencePermit,
            b"82" => ResidentDocument::MacaoResidencePermit,
            b"83" => ResidentDocument::TaiwanResidencePermit,
            [b'9', _] => ResidentDocument::ForeignPermanentResidence,
            _ => ResidentDocument::IdentityCard,
        }
    }
}

fn check_prefix(digits: &[u8; 18]) -> Result<(), IdentifierError> {
    let known = match &digits[..2] {
        b"81" | b"82" | b"83" => &digits[2..6] == b"0000",
        // Permanent residence card of 2023: 9, the accepting province, the nationality (GB/T 2659).
        [b'9', tens] => is_province(&[*tens, digits[2]]),
        [tens, ones] => is_province(&[*tens, *ones]),
        _ => false,
    };
    if known { Ok(()) } else { Err(wrong("the division is of no province")) }
}

fn check(digits: &[u8; 18]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(&digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECK[(sum % 11) as usize]
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, &digit| number * 10 + u32::from(digit.wrapping_sub(b'0') % 10))
}

fn write_number(digits: &mut [u8], mut number: u32) -> Result<(), IdentifierError> {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    if number == 0 { Ok(()) } else { Err(wrong("a part has too many digits")) }
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

impl FromStr for ResidentId {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        let bytes = text.as_bytes();
        if bytes.len() == 15 && bytes.iter().all(u8::is_ascii_digit) {
            return Err(wrong("it has 15 digits, the form that ended in 2013. Use the 18-character number"));
        }
        let digits =
            bytes.try_into().map_err(|_| wrong(&format!("it has {} characters, not 18", text.chars().count())))?;
        Self::from_digits(digits)
    }
}

serde_as_text!(ResidentId);

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentId(******************)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_standard_and_of_the_registers() {
        for (text, sex) in [
            ("11010519491231002X", Sex::Female),
            ("440524188001010014", Sex::Male),
            ("440100188912310015", Sex::Male),
            ("440300189602290026", Sex::Female),
            ("441900189001010029", Sex::Female),
            ("442000189906309991", Sex::Male),
            ("44010218890715011X", Sex::Male),
            ("810000199408230021", Sex::Female),
            ("830000199201300022", Sex::Female),
            ("810000189912310013", Sex::Male),
            ("820000189912310023", Sex::Female),
            ("830000189912310033", Sex::Male),
            ("911124198108030024", Sex::Female),
            ("944156189912310013", Sex::Male),
            (" 11010519491231002x ", Sex::Female),
            ("１１０１０５１９４９１２３１００２Ｘ", Sex::Female),
        ] {
            let id: ResidentId = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(id.sex(), sex, "{text}");
        }
        assert_eq!(ResidentId::from_fifteen_digits("440524800101001").unwrap().as_str(), "440524198001010013");
    }

    #[test]
    fn what_is_wrong_is_refused_for_its_own_reason() {
        for (text, reason) in [
            ("440100188912310014", "check character"),
            ("440100188912310051", "check character"),
            ("44030018990229001X", "1899-02-29"),
            ("440524800101001", "15 digits"),
            ("", "0 characters"),
            ("440100188912310", "15 digits"),
            ("44010018891231001五", "18"),
            ("990100188912310015", "province"),
            ("810001199408230021", "province"),
            ("4401001889123100X5", "17 digits"),
            ("440100199902300015", "1999-02-30"),
            ("440100199913010015", "1999-13-01"),
            ("440100179912310015", "before 1800"),
            ("940056189912310013", "province"), // a permanent residence card of no province
            ("110105194912310021", "check character"), // where X is right
            ("X10105194912310021", "17 digits"),
        ] {
            let error = text.parse::<ResidentId>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
            assert!(text.len() < 10 || !error.reason.contains(text), "{error}");
        }
    }

    #[test]
    fn a_birth_date_after_today_is_refused_by_the_one_who_knows_today() {
        let id: ResidentId = "11010519491231002X".parse().unwrap();
        assert!(id.check_on(NaiveDate::from_ymd_opt(1949, 12, 31).unwrap()).is_ok());
        assert!(id.check_on(NaiveDate::from_ymd_opt(1949, 12, 30).unwrap()).is_err());
    }

    #[test]
    fn the_parts_are_told_and_make_the_number_again() {
        let id: ResidentId = "44010218890715011X".parse().unwrap();
        let birth = NaiveDate::from_ymd_opt(1889, 7, 15).unwrap();
        assert_eq!((id.division_digits(), id.birth_date()), ("440102", birth));
        assert_eq!(ResidentId::from_parts(440_102, birth, 11), Ok(id));
        let bce = NaiveDate::from_ymd_opt(-1889, 7, 15).unwrap();
        let far = NaiveDate::from_ymd_opt(10_889, 7, 15).unwrap();
        for (division, birth, serial) in
            [(440_102, bce, 11), (440_102, far, 11), (1_440_102, birth, 11), (440_102, birth, 1000), (44, birth, 11)]
        {
            assert!(ResidentId::from_parts(division, birth, serial).is_err(), "{division} {birth} {serial}");
        }
    }

    #[test]
    fn the_first_digits_say_which_document_it_is() {
        use ResidentDocument::*;
        for (text, document) in [
            ("11010519491231002X", IdentityCard),
            ("810000199408230021", HongKongResidencePermit),
            ("820000189912310023", MacaoResidencePermit),
            ("830000199201300022", TaiwanResidencePermit),
            ("944156189912310013", ForeignPermanentResidence),
        ] {
            assert_eq!(text.parse::<ResidentId>().unwrap().document(), document, "{text}");
        }
    }

    #[test]
    fn fifteen_digits_that_are_none_are_refused() {
        for text in ["", "44052480010100X", "4405248001010011", "440524801301001", "990524800101001", "四四〇五二"]
        {
            assert!(ResidentId::from_fifteen_digits(text).is_err(), "{text}");
        }
        assert!(ResidentId::from_fifteen_digits(" ４４０５２４８００１０１００１").is_ok());
    }

    #[test]
    fn neither_a_log_nor_a_refusal_shows_the_number() {
        let id: ResidentId = "440100188912310015".parse().unwrap();
        assert!(!format!("{id:?}").contains(|c: char| c.is_ascii_digit()));
        assert_eq!(serde_json::from_str::<ResidentId>("\"440100188912310015\"").unwrap(), id);
        assert_eq!(serde_json::to_value(id).unwrap(), "440100188912310015");
        for json in ["440100188912310015", "-440100188912310", "\"440100188912310014\"", "[440100188912310015]"] {
            let error = serde_json::from_str::<ResidentId>(json).unwrap_err().to_string();
            assert!(!error.contains("4401001889"), "{error}");
        }
    }

    fn any_id() -> impl Strategy<Value = ResidentId> {
        (0..21_u32, 0..43_000_u64, 0..1000_u16).prop_map(|(city, day, serial)| {
            let birth = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + chrono::Days::new(day);
            ResidentId::from_parts(440_100 + city, birth, serial).unwrap()
        })
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_identity(id in any_id()) {
            prop_assert_eq!(id.as_str().parse::<ResidentId>().unwrap(), id);
        }

        /// MOD 11-2: 11 is prime and no weight is a multiple of it, so no single change keeps the remainder.
        #[test]
        fn every_changed_character_is_caught(id in any_id()) {
            for at in 0..18 {
                for other in b"0123456789X" {
                    let mut bytes = id.0;
                    if bytes[at] != *other {
                        bytes[at] = *other;
                        prop_assert!(ascii(&bytes).parse::<ResidentId>().is_err(), "{} to {}", at, other);
                    }
                }
            }
        }

        /// Each weight is twice the next, so a swap changes the sum by weight times difference, which 11 does not divide.
        #[test]
        fn every_adjacent_swap_is_caught(id in any_id()) {
            for at in 0..17 {
                let mut bytes = id.0;
                bytes.swap(at, at + 1);
                prop_assert_eq!(bytes == id.0, ascii(&bytes).parse::<ResidentId>().is_ok());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}|[0-9Xx０-９]{0,20}") {
            let _ = text.parse::<ResidentId>();
            let _ = ResidentId::from_fifteen_digits(&text);
        }
    }
}
