//! What a node says of itself to the others: where it is reached, what it signs with, which registers it keeps.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::Url;

use super::FederationError;
use crate::{
    identifiers::{DatasetId, NodeId},
    keys::PublicKeys,
};

/// The oldest and the newest form of forwarded calls that this program speaks.
pub const PROTOCOL: Protocol = Protocol { oldest: 1, newest: 1 };

/// Forms of forwarded calls that a node speaks, from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    pub oldest: u32,
    pub newest: u32,
}

impl Protocol {
    /// The newest form that both speak.
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

/// One node, as the directory lists it. Members that a newer program adds are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    pub node: NodeId,
    /// Where other nodes reach it: `https`, with its port.
    pub endpoint: Url,
    pub protocol: Protocol,
    /// Verify its receipts, the heads of its log and the calls that it forwards.
    pub keys: Jwks,
    /// Its certificates, by their SHA-256: the one in use, and during a change the next one.
    pub certificates: Vec<Thumbprint>,
    /// Datasets of which it has published a version.
    pub datasets: Vec<DatasetId>,
}

impl Card {
    /// Read a card that somebody handed over.
    pub fn parse(text: &str) -> Result<Self, FederationError> {
        let card: Self = serde_json::from_str(text)
            .map_err(|error| FederationError::Card { reason: format!("it is not a card: {error}") })?;
        card.check()?;
        Ok(card)
    }

    pub(super) fn check(&self) -> Result<(), FederationError> {
        let wrong = |reason: String| Err(FederationError::Card { reason });
        if self.endpoint.scheme() != "https" || self.endpoint.host_str().is_none() {
            return wrong(format!("`endpoint` of {} is not an https URL with a host", self.node));
        }
        if self.keys.0.iter().next().is_none() {
            return wrong(format!("`keys` of {} is empty", self.node));
        }
        if self.certificates.is_empty() {
            return wrong(format!("`certificates` of {} is empty", self.node));
        }
        Ok(())
    }
}

/// Public keys as a JWK set.
#[derive(Clone, Debug)]
pub struct Jwks(pub PublicKeys);

impl Serialize for Jwks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.jwks().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let set = serde_json::Value::deserialize(deserializer)?;
        PublicKeys::from_json(&set.to_string()).map(Self).map_err(D::Error::custom)
    }
}

/// SHA-256 of a certificate in DER (RFC 8705 names it `x5t#S256`), in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    pub fn of(certificate: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate).as_ref());
        Self(hash)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl FromStr for Thumbprint {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)?;
        Ok(Self(hash))
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_speak_the_newest_form_that_both_know() {
        let speaks = |oldest, newest| Protocol { oldest, newest };
        assert_eq!(speaks(1, 3).common(speaks(2, 2)), Some(2));
        assert_eq!(speaks(1, 1).common(speaks(1, 2)), Some(1));
        assert_eq!(speaks(3, 4).common(speaks(1, 2)), None);
    }

    #[test]
    fn a_card_that_cannot_be_used_says_what_is_wrong() {
        let key = crate::keys::SigningKey::generate().unwrap();
        let card = |endpoint: &str, certificates: usize| {
            serde_json::json!({
                "node": "shenzhen", "endpoint": endpoint, "protocol": { "oldest": 1, "newest": 9 }, "later": true,
                "keys": PublicKeys::new([key.public()]).jwks(), "datasets": [],
                "certificates": vec![Thumbprint::of(b"x"); certificates],
            })
            .to_string()
        };
        assert_eq!(Card::parse(&card("https://sz.example:8443", 1)).unwrap().node.as_str(), "shenzhen");
        for (text, expect) in [
            (card("http://sz.example", 1), "`endpoint` of shenzhen is not an https URL"),
            (card("https://sz.example", 0), "`certificates` of shenzhen is empty"),
            ("{}".to_owned(), "it is not a card"),
        ] {
            let error = Card::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
