//! Administrative division codes: GB/T 2260, with the town and village digits of GB/T 10114.

use std::{fmt, str::FromStr, sync::OnceLock};

use super::{
    IdentifierError,
    text::{folded, serde_as_text},
};

const KIND: &str = "division code";
const CURRENT: &str = include_str!("../../catalogs/guangdong/divisions.csv");
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
/// Holds: 6, 9 or 12 digits of a known province; in Guangdong, the first six are a current or abolished code.
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
    /// For an abolished code, the one that took its place.
    successor: Option<&'static str>,
}

fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let rows = |text: &'static str| text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let current = rows(CURRENT).map(|row| Known { code: row[0], name: row[1], successor: None });
        let abolished = rows(ABOLISHED).map(|row| Known { code: row[0], name: row[1], successor: Some(row[2]) });
        let special = SPECIAL.iter().map(|&(code, name)| Known { code, name, successor: None });
        let mut all: Vec<_> = current.chain(abolished).chain(special).collect();
        all.sort_by_key(|known| known.code);
        all
    })
}

impl DivisionCode {
    /// Today's codes of Guangdong that have no division below them in GB/T 2260: counties, districts, and the cities
    /// without any (Dongguan, Zhongshan).
    pub fn guangdong() -> impl Iterator<Item = Self> {
        let codes = || known().iter().filter(|known| known.successor.is_none() && known.code.starts_with("44"));
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

    /// The name of the six-digit division, where it is known.
    pub fn name(&self) -> Option<&'static str> {
        self.entry().map(|known| known.name)
    }

    /// No longer in GB/T 2260; lives on in numbers issued before.
    pub fn is_abolished(&self) -> bool {
        self.successor().is_some()
    }

    /// For an abolished code, the one that took its place.
    pub fn successor(&self) -> Option<Self> {
        self.entry().and_then(|known| known.successor).and_then(|code| code.parse().ok())
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

    /// The six-digit code of the city, if the code is at or below one.
    pub fn city(&self) -> Option<Self> {
        (self.level() >= DivisionLevel::City).then(|| self.cut(4))
    }

    /// The division directly above.
    pub fn parent(&self) -> Option<Self> {
        match self.level() {
            DivisionLevel::Country | DivisionLevel::Province => None,
            DivisionLevel::City => Some(self.cut(2)),
            DivisionLevel::County => Some(self.cut(4)),
            DivisionLevel::Town => Some(self.cut(6)),
            DivisionLevel::Village => Some(Self { length: 9, ..self.zeroed(9) }),
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

    fn cut(&self, kept: usize) -> Self {
        Self { length: 6, ..self.zeroed(kept) }
    }

    fn zeroed(&self, kept: usize) -> Self {
        let mut digits = self.digits;
        digits[kept..].fill(b'0');
        Self { digits, length: self.length }
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
        let code = Self { digits, length: given.len() as u8 };
        if code.entry().is_some() {
            return Ok(code);
        }
        let province = [digits[0], digits[1]];
        if !is_province(&province) {
            return Err(wrong(&format!("there is no province {}", super::text::ascii(&province))));
        }
        if province == *b"44" {
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
mod tests {
    use super::*;

    fn code(text: &str) -> DivisionCode {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn guangdong_has_its_21_cities_and_the_two_without_counties() {
        let cities = DivisionCode::all_known().filter(|code| {
            code.as_str().starts_with("44") && code.level() == DivisionLevel::City && !code.is_abolished()
        });
        assert_eq!(cities.count(), 21);
        let leaves: Vec<_> = DivisionCode::guangdong().collect();
        assert_eq!(leaves.len(), 122 + 2);
        assert!(
            leaves.contains(&code("441900")) && leaves.contains(&code("442000")) && !leaves.contains(&code("440100"))
        );
    }

    #[test]
    fn an_abolished_code_is_known_by_its_name_and_successor() {
        for (old, name, new) in
            [("440102", "东山区", "440104"), ("440107", "芳村区", "440103"), ("440524", "潮阳县", "440513")]
        {
            assert_eq!((code(old).name(), code(old).successor()), (Some(name), Some(code(new))), "{old}");
        }
        assert!(!code("440104").is_abolished());
    }

    #[test]
    fn an_authority_reaches_what_lies_inside_its_division() {
        for (above, below, inside) in [
            ("440000", "440106", true),
            ("440100", "440106", true),
            ("440100", "440306", false),
            ("440106", "440100", false),
            ("441900", "441900003", true),
            ("440113", "440113012001", true),
            ("440113012", "440113012001", true),
            ("100000", "440106", true),
        ] {
            assert_eq!(code(above).contains(&code(below)), inside, "{above} {below}");
        }
    }

    #[test]
    fn parents_lead_up_to_the_province() {
        let up = |text: &str| code(text).parent().map(|parent| parent.as_str().to_owned());
        assert_eq!(up("440113012001").as_deref(), Some("440113012"));
        assert_eq!(up("440113012").as_deref(), Some("440113"));
        assert_eq!(up("440113").as_deref(), Some("440100"));
        assert_eq!(up("440100").as_deref(), Some("440000"));
        assert_eq!(up("440000"), None);
    }

    #[test]
    fn what_is_no_division_is_refused() {
        for text in ["", "4401", "441000", "441100", "990000", "44010a", "４４０１０", "44０106x", "440199"] {
            assert!(text.parse::<DivisionCode>().is_err(), "{text}");
        }
        assert_eq!(code("４４０１０６").as_str(), "440106");
        assert_eq!(code("110105").name(), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,16}|[0-9]{6,12}") {
            let _ = text.parse::<DivisionCode>();
        }
    }
}
