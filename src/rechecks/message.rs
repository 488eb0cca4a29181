//! A delivery as it is signed: HTTP Message Signatures (RFC 9421) with Ed25519, over method, address, body and delivery id.
//!
//! The key is the one that signs receipts: its public half stands in `/.well-known/jwks.json` under `keyid`. What is signed
//! begins with a quotation mark, which no JWS does, so neither passes for the other. Pure.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use url::Url;

use crate::{identifiers::DeliveryId, keys::SigningKey};

/// The same for every try of a delivery: whoever has seen it has been told.
pub const DELIVERY_HEADER: &str = "shuqiao-delivery";
/// What the signature is for (RFC 9421 section 2.3): it is good for nothing else.
const TAG: &str = "shuqiao-recheck";
const LABEL: &str = "sig1";
const CONTENT_TYPE: &str = "application/json";

/// One delivery on its way to a client.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub target: &'a Url,
    pub delivery: DeliveryId,
    pub body: &'a [u8],
    pub created: DateTime<Utc>,
}

impl Message<'_> {
    /// The headers that go with the body.
    pub fn headers(&self, key: &SigningKey) -> [(&'static str, String); 5] {
        // RFC 9530.
        let content_digest = format!("sha-256=:{}:", BASE64.encode(digest::digest(&digest::SHA256, self.body)));
        let delivery = self.delivery.to_string();
        let covered = [
            ("@method", "POST"),
            ("@target-uri", self.target.as_str()),
            ("content-digest", &content_digest),
            ("content-type", CONTENT_TYPE),
            (DELIVERY_HEADER, &delivery),
        ];
        let (created, kid) = (self.created.timestamp(), key.kid());
        let parameters = format!(r#";created={created};keyid="{kid}";alg="ed25519";tag="{TAG}""#);
        let (base, input) = signature_base(&covered, &parameters);
        let signature = BASE64.encode(key.sign(base.as_bytes()));
        [
            ("content-type", CONTENT_TYPE.to_owned()),
            ("content-digest", content_digest),
            (DELIVERY_HEADER, delivery),
            ("signature-input", format!("{LABEL}={input}")),
            ("signature", format!("{LABEL}=:{signature}:")),
        ]
    }
}

/// What is signed, and the value of `signature-input` without its label (RFC 9421 section 2.5).
fn signature_base(covered: &[(&str, &str)], parameters: &str) -> (String, String) {
    let names: Vec<_> = covered.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let input = format!("({}){parameters}", names.join(" "));
    let lines: String = covered.iter().map(|(name, value)| format!("\"{name}\": {value}\n")).collect();
    (format!("{lines}\"@signature-params\": {input}"), input)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::keys::PublicKeys;

    /// RFC 9421, appendix B.2.6, with the key of B.1.4.
    #[test]
    fn the_base_is_the_one_of_the_standard() {
        let covered = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ];
        let (base, input) = signature_base(&covered, r#";created=1618884473;keyid="test-key-ed25519""#);
        assert_eq!(
            input,
            r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#
        );
        let keys = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
        let key = PublicKeys::from_json(keys).unwrap();
        let signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
        let signature = BASE64.decode(signature).unwrap();
        assert!(key.find("k").unwrap().verify(base.as_bytes(), &signature), "{base}");
        assert!(!key.find("k").unwrap().verify(base.replace("/foo", "/fop").as_bytes(), &signature));
    }

    #[test]
    fn a_delivery_is_signed_over_what_it_says_where_it_goes_and_which_it_is() {
        let key = SigningKey::generate().unwrap();
        let target: Url = "https://window.example/told?by=node".parse().unwrap();
        let delivery = DeliveryId::new(Uuid::from_u128(7));
        let created = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let headers = Message { target: &target, delivery, body: b"{}", created }.headers(&key);
        let value = |name: &str| headers.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(value("content-digest"), "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:");
        let input = value("signature-input");
        let input = input.strip_prefix("sig1=").unwrap();
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": https://window.example/told?by=node\n\"content-digest\": {}\n\
             \"content-type\": application/json\n\"shuqiao-delivery\": {delivery}\n\"@signature-params\": {input}",
            value("content-digest")
        );
        let signature = value("signature");
        let signature = signature.strip_prefix("sig1=:").and_then(|rest| rest.strip_suffix(':')).unwrap();
        assert!(key.public().verify(base.as_bytes(), &BASE64.decode(signature).unwrap()), "{base}");
        assert!(
            input.ends_with(&format!(
                r#";created=1764000000;keyid="{}";alg="ed25519";tag="shuqiao-recheck""#,
                key.kid()
            ))
        );
    }
}
