//! The declared file with its keys, and how a caller signs.

use std::{fs, os::unix::fs::PermissionsExt};

use aws_lc_rs::{
    cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey},
    digest,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::Value;
use shuqiao::uplink::sign::{self, Tuple};
use tempfile::TempDir;

use crate::support::node::{Answered, ITEM, TestNode, WINDOW};

pub(super) const APP_KEY: &str = "0123456789abcdef0123456789abcdef";
pub(super) const TOKEN: &str = "TESTTOKEN0123456789ABCDEFGHIJKLM";
pub(super) const RID: &str = "00000000-0000-4000-8000-000000000000@test-001";
pub(super) const SID: &str = "s_9900000000000_0001";
pub(super) const PAASID: &str = "hukou-window";
pub(super) const SERVICE: &str = "person";
pub(super) const NATIONAL: &str = "/uplink/national/call";
pub(super) const REFRESH: &str = "/uplink/national/auth/refreshappsecret";
pub(super) const TIF: &str = "/ebus/hukou-window/person";

const VOCABULARIES: &str = "vocabularies:
  - name: one-is-yes
    codes: {match: ['1'], mismatch: ['2'], not_found: ['3'], abnormal: [], stale: [], undecided: [], unavailable: [], denied: [], quota: [], invalid: []}
  - name: three-is-yes
    codes: {match: ['3'], mismatch: ['2'], not_found: ['1'], abnormal: ['4'], stale: ['4'], undecided: ['4'], unavailable: ['4'], denied: [], quota: ['1901'], invalid: []}
";

/// A folder with the declared file and its keys.
pub(super) struct Papers(TempDir);

impl Papers {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, key) in [("app.key", APP_KEY), ("tif.token", TOKEN)] {
            let path = folder.path().join(name);
            fs::write(&path, key).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(folder.path().join("uplink.yaml"), format!("{VOCABULARIES}{text}")).unwrap();
        Self(folder)
    }

    /// Settings that name the file.
    pub(super) fn settings(&self) -> String {
        format!("\n[uplink]\nfile = '{}'\n", self.0.path().join("uplink.yaml").display())
    }

    /// Papers of a node that is called by [`WINDOW`] in both manners; `national` and `tif` say more of the callers.
    pub(super) fn called(national: &str, tif: &str) -> Self {
        let service = |manner: &str, id: &str, vocabulary: &str| {
            format!(
                "  - {{manner: {manner}, id: {id}, dataset: natural-person, item: {ITEM}, subject: {{sfzh: resident_id}}, \
                 claims: {{xm: name, csrq: birth_date}}, case: ywlsh, vocabulary: {vocabulary}}}\n"
            )
        };
        Self::new(&format!(
            "callers:
  - {{client: {WINDOW}, manner: national, id: '{RID}', key_file: app.key{national}}}
  - {{client: {WINDOW}, manner: tif, id: {PAASID}, key_file: tif.token{tif}}}
  - {{client: nobody-registered-this, manner: tif, id: unregistered, key_file: tif.token}}
services:
{}{}",
            service("national", SID, "one-is-yes"),
            service("tif", SERVICE, "three-is-yes"),
        ))
    }

    /// Papers of a node that asks a platform at `base` in both manners, under the names `national` and `tif`.
    pub(super) fn asking(base: &str, more: &str) -> Self {
        let service = |id: &str, vocabulary: &str| {
            format!(
                "[{{id: {id}, dataset: natural-person, item: {ITEM}, subject: {{sfzh: resident_id}}, claims: {{xm: name}}, \
                 case: ywlsh, vocabulary: {vocabulary}}}]"
            )
        };
        Self::new(&format!(
            "upstreams:
  - {{name: national, manner: national, id: '{RID}', key_file: app.key, url: '{base}{NATIONAL}', refresh_url: '{base}{REFRESH}', services: {}{more}}}
  - {{name: tif, manner: tif, id: {PAASID}, key_file: tif.token, url: '{base}/ebus/{PAASID}', services: {}{more}}}
",
            service(SID, "one-is-yes"),
            service(SERVICE, "three-is-yes"),
        ))
    }
}

/// Headers of a signed request, to be spoilt.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Signed {
    pub(super) fn national(sid: &str, rid: &str, key: &str, at: DateTime<Utc>, body: &Value) -> Self {
        let rtime = at.timestamp_millis().to_string();
        let signature = Tuple::National { sid, rid, rtime: &rtime }.sign(key.as_bytes());
        let headers = vec![
            (sign::SID, sid.to_owned()),
            (sign::RID, rid.to_owned()),
            (sign::RTIME, rtime),
            (sign::SIGN, signature),
        ];
        Self { path: NATIONAL.to_owned(), headers, body: body.to_string() }
    }

    /// The nonce never changes, as in samples in the wild.
    pub(super) fn tif(service: &str, paasid: &str, at: DateTime<Utc>, body: &Value) -> Self {
        let (timestamp, nonce) = (at.timestamp().to_string(), "123456789abcdefg");
        let signature = Tuple::Tif { service, paasid, timestamp: &timestamp, nonce }.sign(TOKEN.as_bytes());
        let headers = vec![
            (sign::PAASID, paasid.to_owned()),
            (sign::TIMESTAMP, timestamp),
            (sign::NONCE, nonce.to_owned()),
            (sign::SIGNATURE, signature),
        ];
        Self { path: format!("/ebus/{paasid}/{service}"), headers, body: body.to_string() }
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The digest of the body as it is now.
    pub(super) fn with_digest(self) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, self.body.as_bytes()).as_ref());
        self.with(sign::CONTENT_DIGEST, &sign::content_digest(&sha256))
    }

    pub(super) async fn send(&self, node: &TestNode) -> Answered {
        let request = node.request(Method::POST, &self.path).header("content-type", "application/json");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        node.send(request.body(self.body.clone())).await
    }
}

/// A secret as a caller opens it.
pub(super) fn open(sealed: &str) -> String {
    let key = UnboundCipherKey::new(&AES_256, APP_KEY.as_bytes()).unwrap();
    let mut bytes = BASE64.decode(sealed).unwrap();
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).unwrap();
    String::from_utf8(key.decrypt(&mut bytes, DecryptionContext::None).unwrap().to_vec()).unwrap()
}

/// A secret as a platform seals it.
pub(super) fn seal(secret: &str) -> String {
    let key = UnboundCipherKey::new(&AES_256, APP_KEY.as_bytes()).unwrap();
    let mut bytes = secret.as_bytes().to_vec();
    PaddedBlockEncryptingKey::ecb_pkcs7(key).unwrap().encrypt(&mut bytes).unwrap();
    BASE64.encode(bytes)
}
