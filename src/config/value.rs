//! Values that only settings have: a base address, a signature algorithm.

use std::{fmt, str::FromStr};

use url::{Host, Url};

/// A base address such as `https://data.example.gov.cn`.
///
/// Holds: `http` or `https`, a host, no user, query or fragment, no final `/`. The text stays as it was written, because
/// others compare it letter by letter (RFC 8414 section 3.3).
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let url = web_url(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a base address has no `?` and no `#`".to_owned());
        }
        if text.ends_with('/') {
            return Err("a base address has no final `/`. Leave it out".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.0)
    }
}

/// The address of a key set. Whoever can change what it serves decides who is let in, so it is encrypted unless it never
/// leaves this machine.
pub(super) fn key_set_url(text: &str) -> Result<Url, String> {
    encrypted_or_here(text, "keys over plain `http` can be swapped on the way")
}

/// The address of an object store. Register rows come from there.
pub(super) fn store_url(text: &str) -> Result<Url, String> {
    encrypted_or_here(text, "register rows over plain `http` can be read and changed on the way")
}

/// An address of personal data or of keys: `https`, or this machine; `why` says what would happen otherwise.
pub(crate) fn encrypted_or_here(text: &str, why: &str) -> Result<Url, String> {
    let url = web_url(text)?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !here {
        return Err(format!("{why}. Use `https`"));
    }
    Ok(url)
}

/// The reasons never repeat the text: it may hold a password.
fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the address must begin with `https://` or `http://`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address holds a user or a password, and settings are no place for one. Leave it out".to_owned()
        );
    }
    Ok(url)
}

/// A signature algorithm by its JOSE name (RFC 7518, RFC 8037). Symmetric ones are left out: a shared secret proves nothing
/// to a third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    EdDsa,
    Es256,
    Rs256,
}

impl SignatureAlgorithm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::EdDsa, Self::Es256, Self::Rs256]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no accepted algorithm. Use `EdDSA`, `ES256` or `RS256`"))
    }
}

/// How an issuer of others marks its access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignTokenType {
    /// `typ` is `at+jwt` (RFC 9068).
    AccessToken,
    /// `typ` is `JWT` or left out, as many identity providers have it.
    PlainJwt,
}

impl FromStr for ForeignTokenType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "at+jwt" => Ok(Self::AccessToken),
            "jwt" => Ok(Self::PlainJwt),
            _ => Err(format!("`{text}` is no token type. Use `at+jwt` or `jwt`")),
        }
    }
}

impl fmt::Display for ForeignTokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessToken => "at+jwt",
            Self::PlainJwt => "jwt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_stays_letter_by_letter() {
        for text in ["https://data.example.gov.cn", "http://127.0.0.1:8640", "https://gw.example/shuqiao"] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn an_address_that_could_mislead_is_refused() {
        for text in [
            "data.example",
            "ftp://data.example",
            "https://data.example/",
            "https://data.example?a=b",
            "https://data.example#x",
            "https://u@data.example",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
        let reason = "https://user:hunter2@data.example".parse::<BaseUrl>().unwrap_err();
        assert!(!reason.contains("hunter2"), "{reason}");
    }

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        for (text, good) in [
            ("https://login.example/jwks", true),
            ("http://127.0.0.1:9/jwks", true),
            ("http://[::1]:9/jwks", true),
            ("http://localhost/jwks", true),
            ("http://login.example/jwks", false),
            ("http://localhost.example/jwks", false),
        ] {
            assert_eq!(key_set_url(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_symmetric_algorithm_is_refused() {
        assert_eq!("ES256".parse(), Ok(SignatureAlgorithm::Es256));
        for text in ["HS256", "none", "es256"] {
            assert!(text.parse::<SignatureAlgorithm>().is_err(), "{text}");
        }
    }
}
