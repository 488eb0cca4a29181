//! The address at which a client is told: one that nobody on the way can read, and that says nothing but where.

use url::Url;

use crate::{
    config::encrypted_or_here,
    problem::{Code, Problem},
};

/// Longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 1_000;

/// A checked address: `https`, or `http` on this machine; no name, no password, no fragment.
pub fn address(text: &str) -> Result<Url, Problem> {
    let refused = |detail: &str| {
        Problem::new(Code::InvalidValue, detail).at("/url").remedy(
            "Name an `https` address such as `https://window.example/rechecks`; `http` is for this machine only.",
        )
    };
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(refused("the address is too long"));
    }
    let why = "what is told over plain `http` can be read and changed on the way";
    let url = encrypted_or_here(text, why).map_err(|reason| refused(&reason))?;
    if url.fragment().is_some() {
        return Err(refused("the address has a fragment, which is never sent"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_here_and_holds_no_secret() {
        for text in [
            "https://window.example/told",
            "https://window.example:8443/a?b=c",
            "http://127.0.0.1:9/",
            "http://[::1]:9/x",
        ] {
            assert_eq!(address(text).unwrap().as_str(), text);
        }
        for text in [
            "window.example",
            "http://window.example/told",
            "http://127.0.0.1.example/",
            "ftp://window.example/",
            "https://hunter2@window.example/",
            "https://u:hunter2@window.example/",
            "https://window.example/#told",
            "file:///etc/passwd",
            &format!("https://window.example/{}", "x".repeat(1_000)),
        ] {
            let problem = address(text).unwrap_err();
            assert!(problem.code == Code::InvalidValue && !problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
