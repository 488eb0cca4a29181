//! Electronic licence identifiers: GB/T 36904.

use std::{fmt, ops::Range, str::FromStr, sync::Arc};

use super::{
    CreditCode, IdentifierError,
    division::is_province,
    text::{folded, serde_as_text},
};

const KIND: &str = "licence identifier";
/// Root of all electronic licences of China in the object identifier tree.
const ROOT: &str = "1.2.156.3005.2.";
/// Longest serial seen in practice; the standard leaves it to the issuer.
const SERIAL_MAX: usize = 32;

/// The identifier of one electronic licence (GB/T 36904): type, issuer, serial, version, check character.
///
/// Holds: the root `1.2.156.3005.2`; a type code of 21 characters (the defining body's credit code, three digits); an
/// issuer, by credit code or by the six digits of a division (real, though not in the standard; the county is not looked
/// up); a serial of 1 to 32 digits and capital letters; a version of three digits; the right check character (ISO 7064
/// MOD 37,36 over the four parts without dots).
///
/// ```
/// use shuqiao::identifiers::LicenceId;
/// let id = "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I";
/// assert!(id.parse::<LicenceId>().is_ok());
/// assert!(id.replace(".001.I", ".002.I").parse::<LicenceId>().is_err()); // another version has another check
/// assert!(id.replace("1.2.156", "1.2.840").parse::<LicenceId>().is_err()); // another root
/// assert!(id.trim_end_matches(".I").parse::<LicenceId>().is_err()); // no check character
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LicenceId(Arc<str>);

impl LicenceId {
    /// The identifier with these parts; the check character is computed.
    pub fn from_parts(type_code: &str, issuer: &str, serial: &str, version: u16) -> Result<Self, IdentifierError> {
        let version = format!("{version:03}");
        let check = check([type_code, issuer, serial, &version])?;
        format!("{ROOT}{type_code}.{issuer}.{serial}.{version}.{check}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Type of licence: the defining body's credit code and three digits.
    pub fn type_code(&self) -> &str {
        self.part(0)
    }

    /// Credit code of the issuer, or a division.
    pub fn issuer(&self) -> &str {
        self.part(1)
    }

    pub fn serial(&self) -> &str {
        self.part(2)
    }

    /// 001 at first issuance; one more with each change.
    pub fn version(&self) -> &str {
        self.part(3)
    }

    fn part(&self, number: usize) -> &str {
        self.0[ROOT.len()..].split('.').nth(number).unwrap_or_default()
    }
}

/// ISO 7064 MOD 37,36 over the parts in their order.
fn check(parts: [&str; 4]) -> Result<char, IdentifierError> {
    let mut state = 36;
    for character in parts.iter().flat_map(|part| part.chars()) {
        state = step(state, value(character)?);
    }
    let check = (37 - state) % 36;
    Ok(char::from_digit(check, 36).unwrap_or('0').to_ascii_uppercase())
}

/// One character into the running product.
///
/// What it can't catch: `sum` grows by the difference of two characters when they change places, and doubling modulo 37
/// takes 18 to 36 and 19 to 1, which are neighbours on the ring of 36. So a swap of neighbours is missed if and only if
/// their two sums are 18 and 19: for each state one pair of the 630, and its characters follow each other (0 and 1, ...,
/// Y and Z, Z and 0).
fn step(state: u32, value: u32) -> u32 {
    let sum = match (state + value) % 36 {
        0 => 36,
        sum => sum,
    };
    sum * 2 % 37
}

fn value(character: char) -> Result<u32, IdentifierError> {
    let known = character.is_ascii_digit() || character.is_ascii_uppercase();
    let shown = if character.is_control() { '?' } else { character };
    known
        .then(|| character.to_digit(36))
        .flatten()
        .ok_or_else(|| wrong(&format!("`{shown}` is not a digit or a capital letter")))
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

fn length(part: &str, what: &str, allowed: Range<usize>) -> Result<(), IdentifierError> {
    if allowed.contains(&part.len()) {
        return Ok(());
    }
    let (least, most) = (allowed.start, allowed.end - 1);
    let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
    Err(wrong(&format!("the {what} has {} characters, not {wanted}", part.len())))
}

fn credit_code(text: &str, what: &str) -> Result<(), IdentifierError> {
    let checked = text.parse::<CreditCode>();
    checked.map(|_| ()).map_err(|error| wrong(&format!("the credit code in the {what}: {error}")))
}

impl FromStr for LicenceId {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let text = folded(text);
        let rest = text.strip_prefix(ROOT).ok_or_else(|| wrong("it does not begin with 1.2.156.3005.2"))?;
        let parts: Vec<_> = rest.split('.').collect();
        let &[type_code, issuer, serial, version, said] = parts.as_slice() else {
            return Err(wrong(&format!("it has {} parts after the root, not 5", parts.len())));
        };
        length(type_code, "type code", 21..22)?;
        length(issuer, "issuer", if issuer.len() == 6 { 6..7 } else { 18..19 })?;
        length(serial, "serial", 1..SERIAL_MAX + 1)?;
        length(version, "version", 3..4)?;
        if !version.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong("the version is not three digits"));
        }
        if said != check([type_code, issuer, serial, version])?.to_string() {
            return Err(wrong("the check character is wrong"));
        }
        // All parts are ASCII from here on: the check has a value for every character.
        let (definer, number) = type_code.split_at(18);
        credit_code(definer, "type code")?;
        if !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong("the type code does not end in three digits"));
        }
        match issuer.as_bytes() {
            [tens, ones, rest @ ..] if issuer.len() == 6 => {
                if !is_province(&[*tens, *ones]) || !rest.iter().all(u8::is_ascii_digit) {
                    return Err(wrong("the issuer is neither a credit code nor the six digits of a division"));
                }
            }
            _ => credit_code(issuer, "issuer")?,
        }
        Ok(Self(text.as_ref().into()))
    }
}

serde_as_text!(LicenceId);

impl fmt::Debug for LicenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LicenceId({}.*.{})", self.type_code(), self.version())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_standard_and_of_public_samples() {
        for text in [
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
            "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
            "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
            "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I",
            "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.002.G",
            "1.2.156.3005.2.11440000000999993T099.11440100MB9YYY997R.Z9Z9Z9Z9Z9Z9Z9Z9.001.L",
            "1.2.156.3005.2.11440000000999993t099.11440100mb9yyy997r.z9z9z9z9z9z9z9z9.001.l",
        ] {
            assert!(text.parse::<LicenceId>().is_ok(), "{text}: {:?}", text.parse::<LicenceId>());
        }
    }

    /// The worked example of ISO 7064's system that the record industry uses: GRid A12425GABC1234002, check M.
    #[test]
    fn the_check_is_the_one_of_the_iso_standard() {
        assert_eq!(check(["A12425GABC1234002", "", "", ""]).unwrap(), 'M');
    }

    #[test]
    fn what_is_wrong_is_refused_for_its_own_reason() {
        let good = "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I";
        for (text, reason) in [
            (good.replace(".I", ".J"), "check character"),
            (good.replace("1.2.156", "1.2.157"), "begin with"),
            (good.replace(".2020000000000001", ""), "4 parts"),
            (good.replace("2020000000000001", ""), "serial"),
            (good.replace(".001.I", ".01.I"), "version"),
            (good.replace("997R", "997"), "issuer"),
            (good.replace("T001.", "T00-."), "capital letter"),
            (String::new(), "begin with"),
            (sealed("11440000000999993TO01", "11440100MB9YYY997R", "1"), "three digits"),
            (sealed("11440000000999993U001", "11440100MB9YYY997R", "1"), "credit code in the type code"),
            (sealed("11440000000999993T001", "11440100MB9YYY997T", "1"), "credit code in the issuer"),
            (sealed("11440000000999993T001", "990100", "1"), "neither"),
            (sealed("11440000000999993T001", "44010A", "1"), "neither"),
            (good.replace("997R", "99一R"), "issuer"),
            (good.replace("11440100MB9YYY997R", "一二"), "not a digit"),
            (good.replace(".I", ".IJ"), "check character"),
            (good.replace(".I", ".I."), "6 parts"),
            (good.replace("2020000000000001", &"1".repeat(33)), "33 characters"),
        ] {
            let error = text.parse::<LicenceId>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    /// With the right check character, whatever stands before it.
    fn sealed(type_code: &str, issuer: &str, serial: &str) -> String {
        let check = check([type_code, issuer, serial, "001"]).unwrap();
        format!("{ROOT}{type_code}.{issuer}.{serial}.001.{check}")
    }

    #[test]
    fn the_parts_are_told_and_make_the_identifier_again() {
        let text = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9";
        let id: LicenceId = text.parse().unwrap();
        assert_eq!((id.type_code(), id.issuer()), ("11100000MB03271699022", "340100"));
        assert_eq!((id.serial(), id.version()), ("000000016", "001"));
        assert_eq!(LicenceId::from_parts(id.type_code(), id.issuer(), id.serial(), 1), Ok(id.clone()));
        assert_eq!(serde_json::from_value::<LicenceId>(serde_json::json!(id)).unwrap(), id);
        for (issuer, serial, version) in
            [("340100", "", 1), ("340100", "1.2", 1), ("340100", "a", 1), ("340100", "1", 1000), ("3401", "1", 1)]
        {
            let refused = LicenceId::from_parts(id.type_code(), issuer, serial, version);
            assert!(refused.is_err(), "{issuer} {serial} {version}");
        }
    }

    /// The sum that `step` doubles.
    fn sum(state: u32, value: u32) -> u32 {
        (1..=36).find(|sum| (state + value) % 36 == sum % 36).unwrap()
    }

    #[test]
    fn in_each_state_one_pair_of_neighbours_can_change_places_unseen() {
        for state in 1..=36 {
            let mut missed = Vec::new();
            for (a, b) in (0..36).flat_map(|a| (a + 1..36).map(move |b| (a, b))) {
                let unseen = step(step(state, a), b) == step(step(state, b), a);
                let sums = [sum(state, a), sum(state, b)];
                assert_eq!(unseen, sums == [18, 19] || sums == [19, 18], "state {state}: {a} {b}");
                missed.extend(unseen.then_some((a, b)));
            }
            assert!(matches!(missed[..], [(a, b)] if b - a == 1 || (a, b) == (0, 35)), "state {state}: {missed:?}");
        }
    }

    fn any_id() -> impl Strategy<Value = LicenceId> {
        ("[0-9A-Z]{1,32}", 1..1000_u16).prop_map(|(serial, version)| {
            LicenceId::from_parts("11440000000999993T001", "11440100MB9YYY997R", &serial, version).unwrap()
        })
    }

    /// Positions of the characters that the check covers, the check character last.
    fn covered(id: &LicenceId) -> Vec<usize> {
        (ROOT.len()..id.0.len()).filter(|&at| id.0.as_bytes()[at] != b'.').collect()
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_identity(id in any_id()) {
            prop_assert_eq!(id.as_str().parse::<LicenceId>().unwrap(), id);
        }

        /// Each step of MOD 37,36 is one to one in the state and in the character, so no single change keeps the end.
        #[test]
        fn every_changed_character_is_caught(id in any_id()) {
            for at in covered(&id) {
                for other in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
                    let mut bytes = id.0.as_bytes().to_vec();
                    bytes[at] = *other;
                    let changed = String::from_utf8(bytes).unwrap();
                    prop_assert_eq!(*changed == *id.0, changed.parse::<LicenceId>().is_ok());
                }
            }
        }

        /// See `step`. The type code and the issuer have checks of their own, so the serial is where it shows.
        #[test]
        fn exactly_the_swaps_that_the_standard_can_catch_are_caught(id in any_id()) {
            let (text, digit) = (id.0.as_bytes(), |character: u8| value(char::from(character)).unwrap());
            let serial = id.0.len() - ".001.I".len() - id.serial().len()..id.0.len() - ".001.I".len();
            let mut state = 36;
            for &at in covered(&id).iter().filter(|&&at| at < serial.end) {
                let next = at + 1;
                if serial.contains(&at) && serial.contains(&next) {
                    let mut bytes = text.to_vec();
                    bytes.swap(at, next);
                    let swapped = String::from_utf8(bytes).unwrap();
                    let mut sums = [sum(state, digit(text[at])), sum(state, digit(text[next]))];
                    sums.sort_unstable();
                    let missed = text[at] == text[next] || sums == [18, 19];
                    prop_assert_eq!(swapped.parse::<LicenceId>().is_ok(), missed, "{} {}", at, id.as_str());
                }
                state = step(state, digit(text[at]));
            }
        }

        /// The last character before the check and the check itself: the same pair of sums.
        #[test]
        fn the_check_character_and_its_neighbour_can_change_places_unseen_in_one_state_only(id in any_id()) {
            let digit = |character: u8| value(char::from(character)).unwrap();
            let positions = covered(&id);
            let [.., last, at_check] = positions[..] else { unreachable!() };
            let mut bytes = id.0.as_bytes().to_vec();
            let before = positions[..positions.len() - 2].iter().fold(36, |state, &at| step(state, digit(bytes[at])));
            let mut sums = [sum(before, digit(bytes[last])), sum(before, digit(bytes[at_check]))];
            sums.sort_unstable();
            let missed = bytes[last] == bytes[at_check] || sums == [18, 19];
            bytes.swap(last, at_check);
            prop_assert_eq!(String::from_utf8(bytes).unwrap().parse::<LicenceId>().is_ok(), missed);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}|1\\.2\\.156\\.3005\\.2\\.[0-9A-Z.]{0,80}") {
            let _ = text.parse::<LicenceId>();
        }
    }
}
