//! Administrative division codes: GB/T 2260, with the town and village digits of GB/T 10114.

use std::{fmt, str::FromStr, sync::OnceLock};

use super::{
    IdentifierError,
    text::{folded, serde_as_text},
};

const KIND: &str = "division code";
const CURRENT: &str = include_str!("../../catalogs/guangdong/divisions.csv");
/// Codes that Guangdong had in the yearly tables of the Ministry of Civil Affairs from 1980 on, each with the name that it
/// had last, the year in which it went (where the tables tell) and today's code of the place (where it is one place). Left
/// out are those of Hainan (4410, 4411, 4421, 4422), which became a province of its own in 1988.
const ABOLISHED: &str = include_str!("../../catalogs/guangdong/divisions-abolished.csv");
/// The whole country, and the places whose residents hold residence permits.
const SPECIAL: [(&str, &str); 4] = [("100000", "全国"), ("810000", "香港"), ("820000", "澳门"), ("830000", "台湾")];
/// Provinces of GB/T 2260.
const PROVINCES: [&[u8; 2]; 32] = [
    b"11", b"12", b"13", b"14", b"15", b"21", b"22", b"23", b"31", b"32", b"33", b"34", b"35", b"36", b"37", b"41",
    b"42", b"43", b"44", b"45", b"46", b"50", b"51", b"52", b"53", b"54", b"61", b"62", b"63", b"64", b"65", b"71",
];

pub(super) fn is_province(digits: &[u8; 2]) -> bool {
    PROVINCES.contains(&digits)
}

/// The code of a division (GB/T 2260): two digits each for province, city, county; three more for a town, three for a
/// village.
///
/// Holds: 6, 9 or 12 digits of a known province; in Guangdong, the first six are a current or abolished code. One place has
/// one value: 9 or 12 digits that end in the three zeros of no town or no village are read as the shorter code. The towns
/// and villages themselves are not looked up, because their lists change every month.
///
/// ```
/// use shuqiao::identifiers::DivisionCode;
/// assert_eq!("440106".parse::<DivisionCode>().unwrap().name(), Some("天河区"));
/// assert!("441000".parse::<DivisionCode>().is_err()); // there is a gap after 4409
/// assert!("990000".parse::<DivisionCode>().is_err()); // no such province
/// assert!("4401".parse::<DivisionCode>().is_err()); // too short
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DivisionCode {
    /// Twelve digits, zero-filled.
    digits: [u8; 12],
    length: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DivisionLevel {
    Country,
    Province,
    City,
    County,
    Town,
    Village,
}

impl DivisionLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Province => "province",
            Self::City => "city",
            Self::County => "county",
            Self::Town => "town",
            Self::Village => "village",
        }
    }
}

/// A six-digit code that the node knows by name.
#[derive(Clone, Copy, Debug)]
struct Known {
    code: &'static str,
    name: &'static str,
    abolition: Option<Abolition>,
}

/// How a code ended.
#[derive(Clone, Copy, Debug)]
struct Abolition {
    year: Option<u16>,
    successor: Option<&'static str>,
}

fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let rows = |text: &'static str| text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let current = rows(CURRENT).map(|row| Known { code: row[0], name: row[1], abolition: None });
        let abolished = rows(ABOLISHED).map(|row| {
            let successor = Some(row[3]).filter(|code| !code.is_empty());
            Known { code: row[0], name: row[1], abolition: Some(Abolition { year: row[2].parse().ok(), successor }) }
        });
        let special = SPECIAL.iter().map(|&(code, name)| Known { code, name, abolition: None });
        let mut all: Vec<_> = current.chain(abolished).chain(special).collect();
        all.sort_by_key(|known| known.code);
        all
    })
}

impl DivisionCode {
    /// Today's codes of Guangdong that have no division below them in GB/T 2260: counties, districts, and the cities
    /// without any (Dongguan, Zhongshan).
    pub fn guangdong() -> impl Iterator<Item = Self> {
        let codes = || known().iter().filter(|known| known.abolition.is_none() && known.code.starts_with("44"));
        codes().filter_map(|known| known.code.parse::<Self>().ok()).filter(move |code| {
            code.level() == DivisionLevel::County
                || (code.level() == DivisionLevel::City
                    && !codes().any(|other| other.code != code.as_str() && other.code[..4] == code.as_str()[..4]))
        })
    }

    /// Every six-digit code known by name, abolished ones too.
    pub fn all_known() -> impl Iterator<Item = Self> {
        known().iter().filter_map(|known| known.code.parse().ok())
    }

    pub fn as_str(&self) -> &str {
        super::text::ascii(&self.digits[..usize::from(self.length)])
    }

    fn entry(&self) -> Option<&'static Known> {
        let six = &self.as_str()[..6];
        known().binary_search_by(|known| known.code.cmp(six)).ok().map(|at| &known()[at])
    }

    /// The name of the six-digit division (for a town or village, the one that it lies in), where it is known.
    pub fn name(&self) -> Option<&'static str> {
        self.entry().map(|known| known.name)
    }

    /// No longer in GB/T 2260; lives on in numbers issued before.
    pub fn is_abolished(&self) -> bool {
        self.abolition().is_some()
    }

    /// For an abolished code, the year in which it went, if that is sure.
    pub fn abolished_in(&self) -> Option<u16> {
        self.abolition()?.year
    }

    /// For an abolished code, the one that took its place, if it was one.
    pub fn successor(&self) -> Option<Self> {
        self.abolition()?.successor?.parse().ok()
    }

    fn abolition(&self) -> Option<Abolition> {
        self.entry()?.abolition
    }

    pub fn level(&self) -> DivisionLevel {
        match (&self.digits, self.length) {
            (digits, 6) if digits.starts_with(b"100000") => DivisionLevel::Country,
            (digits, 6) if &digits[2..6] == b"0000" => DivisionLevel::Province,
            (digits, 6) if &digits[4..6] == b"00" => DivisionLevel::City,
            (_, 6) => DivisionLevel::County,
            (_, 9) => DivisionLevel::Town,
            _ => DivisionLevel::Village,
        }
    }

    /// The six-digit code of the province; the whole country has none.
    pub fn province(&self) -> Option<Self> {
        (self.level() >= DivisionLevel::Province).then(|| self.above(2))
    }

    /// The six-digit code of the city, if the code is at or below one. A county right under its province has none.
    pub fn city(&self) -> Option<Self> {
        let city = (self.level() >= DivisionLevel::City).then(|| self.above(4))?;
        let exists = city.level() == DivisionLevel::City && (!city.is_of_guangdong() || city.entry().is_some());
        exists.then_some(city)
    }

    /// The division directly above.
    pub fn parent(&self) -> Option<Self> {
        match self.level() {
            DivisionLevel::Country | DivisionLevel::Province => None,
            DivisionLevel::City => self.province(),
            DivisionLevel::County => self.city().or_else(|| self.province()),
            DivisionLevel::Town => Some(self.above(6)),
            DivisionLevel::Village => Some(self.above(9)),
        }
    }

    /// Is `other` this division, or inside it? (Authority scope: the prefix without trailing zero pairs.)
    pub fn contains(&self, other: &Self) -> bool {
        let significant = match self.level() {
            DivisionLevel::Country => 0,
            DivisionLevel::Province => 2,
            DivisionLevel::City => 4,
            DivisionLevel::County => 6,
            DivisionLevel::Town => 9,
            DivisionLevel::Village => 12,
        };
        self.digits[..significant] == other.digits[..significant] && self.length <= other.length
    }

    /// The division that the first `kept` digits name.
    fn above(&self, kept: usize) -> Self {
        let mut digits = self.digits;
        digits[kept..].fill(b'0');
        Self::shortest(digits)
    }

    /// Without the zeros of no town and no village.
    fn shortest(digits: [u8; 12]) -> Self {
        let length = match &digits {
            [.., b'0', b'0', b'0', b'0', b'0', b'0'] => 6,
            [.., b'0', b'0', b'0'] => 9,
            _ => 12,
        };
        Self { digits, length }
    }

    fn is_of_guangdong(&self) -> bool {
        self.digits.starts_with(b"44")
    }
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

impl FromStr for DivisionCode {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        let given = text.as_bytes();
        if ![6, 9, 12].contains(&given.len()) || !given.iter().all(u8::is_ascii_digit) {
            return Err(wrong("it is not 6 digits (9 for a town, 12 for a village)"));
        }
        let mut digits = [b'0'; 12];
        digits[..given.len()].copy_from_slice(given);
        let code = Self::shortest(digits);
        let province = [digits[0], digits[1]];
        // The country and the places of the residence permits have no towns and villages in it.
        if code.entry().is_some() && (code.length == 6 || is_province(&province)) {
            return Ok(code);
        }
        if !is_province(&province) {
            return Err(wrong(&format!("there is no province {}", super::text::ascii(&province))));
        }
        if code.is_of_guangdong() {
            return Err(wrong(&format!("Guangdong has and had no division {}", &text[..6])));
        }
        Ok(code)
    }
}

serde_as_text!(DivisionCode);

impl fmt::Debug for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DivisionCode({})", self.as_str())
    }
}

#[cfg(test)]
mod tests;
