//! Electronic licence identifiers: GB/T 36904.

use std::{fmt, ops::Range, str::FromStr, sync::Arc};

use super::{
    IdentifierError,
    text::{folded, serde_as_text},
};

const KIND: &str = "licence identifier";
/// Root of all electronic licences of China in the object identifier tree.
const ROOT: &str = "1.2.156.3005.2.";
/// Longest serial seen in practice; the standard leaves it to the issuer.
const SERIAL_MAX: usize = 32;

/// The identifier of one electronic licence (GB/T 36904): type, issuer, serial, version, check character.
///
/// Holds: the root `1.2.156.3005.2`; a type code of 21 characters; an issuer of 18 (a credit code) or 6 (a division:
/// real, though not in the standard); a serial of 1 to 32; a version of three digits; all digits and capital letters; the
/// right check character (ISO 7064 MOD 37,36 over the four parts without dots).
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
        if issuer.len() != 6 {
            length(issuer, "issuer", 18..19)?;
        }
        length(serial, "serial", 1..SERIAL_MAX + 1)?;
        length(version, "version", 3..4)?;
        if !version.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong("the version is not three digits"));
        }
        if said != check([type_code, issuer, serial, version])?.to_string() {
            return Err(wrong("the check character is wrong"));
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
        ] {
            let error = text.parse::<LicenceId>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
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

        /// A swap inside a part is missed only where two steps in the other order end in the same state, which for a
        /// given state is true of a few pairs. Exactly those pass, and no other.
        #[test]
        fn exactly_the_swaps_that_the_standard_can_catch_are_caught(id in any_id()) {
            let (positions, text) = (covered(&id), id.0.as_bytes());
            let mut state = 36;
            for pair in positions.windows(2).take(positions.len() - 2) {
                let (a, b) = (text[pair[0]], text[pair[1]]);
                let digit = |character: u8| value(char::from(character)).unwrap();
                let blind = step(step(state, digit(a)), digit(b)) == step(step(state, digit(b)), digit(a));
                if pair[1] == pair[0] + 1 {
                    let mut bytes = text.to_vec();
                    bytes.swap(pair[0], pair[1]);
                    let swapped = String::from_utf8(bytes).unwrap();
                    let version = a.is_ascii_digit() && b.is_ascii_digit() || pair[1] < text.len() - 5;
                    prop_assert_eq!(swapped.parse::<LicenceId>().is_ok(), blind && version);
                }
                state = step(state, digit(a));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}|1\\.2\\.156\\.3005\\.2\\.[0-9A-Z.]{0,80}") {
            let _ = text.parse::<LicenceId>();
        }
    }
}
