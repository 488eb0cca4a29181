//! The file as it is written: exactly what it says, nothing judged.
//!
//! The doc comments here are what an editor shows beside each key.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Manner, word::Word};
use crate::catalog::yaml::{At, Ordered};

/// Platforms above: who calls in their manner, what can be asked, and who is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `vocabularies`, `callers`, `services` and `upstreams`")]
#[schemars(title = "Shuqiao uplink")]
pub(super) struct RawFile {
    /// Code tables, each under a name.
    #[serde(default)]
    pub(super) vocabularies: Vec<At<RawVocabulary>>,
    /// Who may call in the manner of a platform.
    #[serde(default)]
    pub(super) callers: Vec<At<RawCaller>>,
    /// What can be asked in the manner of a platform.
    #[serde(default)]
    pub(super) services: Vec<At<RawService>>,
    /// Platforms that this node asks.
    #[serde(default)]
    pub(super) upstreams: Vec<At<RawUpstream>>,
}

/// The codes of one platform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a vocabulary: a mapping with `name` and `codes`")]
#[schemars(rename = "Vocabulary")]
pub(super) struct RawVocabulary {
    pub(super) name: At<String>,
    pub(super) codes: RawCodes,
}

/// For each word the codes that mean it, in quotes. The first is said, all are understood. `[]`: no code of its own, the
/// envelope says it; not for `match`, `mismatch` and `not_found`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of words to lists of codes")]
#[schemars(rename = "Codes")]
pub(super) struct RawCodes {
    /// 一致
    #[serde(rename = "match")]
    pub(super) matched: At<Vec<String>>,
    /// 不一致
    pub(super) mismatch: At<Vec<String>>,
    /// 库中无此号
    pub(super) not_found: At<Vec<String>>,
    /// 状态异常
    pub(super) abnormal: At<Vec<String>>,
    /// 数据陈旧
    pub(super) stale: At<Vec<String>>,
    /// 无法判定
    pub(super) undecided: At<Vec<String>>,
    /// 服务不可用
    pub(super) unavailable: At<Vec<String>>,
    /// 无权限
    pub(super) denied: At<Vec<String>>,
    /// 超配额
    pub(super) quota: At<Vec<String>>,
    /// 参数不合法
    pub(super) invalid: At<Vec<String>>,
}

impl RawCodes {
    pub(super) fn of(&self, word: Word) -> &At<Vec<String>> {
        match word {
            Word::Match => &self.matched,
            Word::Mismatch => &self.mismatch,
            Word::NotFound => &self.not_found,
            Word::Abnormal => &self.abnormal,
            Word::Stale => &self.stale,
            Word::Undecided => &self.undecided,
            Word::Unavailable => &self.unavailable,
            Word::Denied => &self.denied,
            Word::Quota => &self.quota,
            Word::Invalid => &self.invalid,
        }
    }
}

/// A system that calls in the manner of a platform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a caller: a mapping with `client`, `manner`, `id` and `key_file`")]
#[schemars(rename = "Caller")]
pub(super) struct RawCaller {
    /// The registered client that it is (`shuqiao client list`). Its rights are those of its department's agreements.
    pub(super) client: At<String>,
    pub(super) manner: Manner,
    /// `gjgxjhpt_rid` or `x-tif-paasid`.
    pub(super) id: At<String>,
    /// File of the appKey or token: one line, mode 600. A relative path is meant from this file's folder.
    pub(super) key_file: At<String>,
    /// National only: calls are signed with a secret got at `auth/refreshappsecret` (the default), or with the appKey itself.
    pub(super) two_steps: Option<bool>,
    /// What the caller must send to vouch for the body: `nothing` (the default), `digest` or `signature`.
    pub(super) body: Option<RawBodyProof>,
    /// A signature is good once for each `body` (the default), or once for the `tuple` of headers.
    pub(super) once: Option<RawOnce>,
    /// How far its clock may be off, in seconds. Default 120.
    #[schemars(range(min = 1, max = 600))]
    pub(super) skew_s: Option<At<u32>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BodyProof")]
pub(super) enum RawBodyProof {
    Nothing,
    Digest,
    Signature,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Once")]
pub(super) enum RawOnce {
    Body,
    Tuple,
}

/// A service: a dataset and an item under a platform's number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a service: a mapping with `id`, `dataset`, `item`, `subject`, `claims` and `vocabulary`"
)]
#[schemars(rename = "Service")]
pub(super) struct RawService {
    /// For services of this node. Those of an upstream have its manner.
    pub(super) manner: Option<Manner>,
    /// `gjgxjhpt_sid`, or the last part of the path below `/ebus/<application>/`.
    pub(super) id: At<String>,
    pub(super) dataset: At<String>,
    /// Code of the item for whose sake it is asked.
    pub(super) item: At<String>,
    /// The body's member that names the subject, and the key field that it is: one pair.
    pub(super) subject: At<Ordered>,
    /// The body's members that claim something, and the field of each.
    pub(super) claims: At<Ordered>,
    /// The body's member with the caller's number of the case.
    pub(super) case: Option<At<String>>,
    /// Name of the code table.
    pub(super) vocabulary: At<String>,
}

/// A platform that this node asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an upstream: a mapping with `name`, `manner`, `id`, `key_file`, `url` and `services`"
)]
#[schemars(rename = "Upstream")]
pub(super) struct RawUpstream {
    /// What it is called here.
    pub(super) name: At<String>,
    pub(super) manner: Manner,
    /// The number it has given to this node: `gjgxjhpt_rid` or `x-tif-paasid`.
    pub(super) id: At<String>,
    /// File of the appKey or token: one line, mode 600. A relative path is meant from this file's folder.
    pub(super) key_file: At<String>,
    /// National only: get a secret first (the default), or sign calls with the appKey itself.
    pub(super) two_steps: Option<bool>,
    /// National: where calls go. TIF: the address up to the application, `https://.../ebus/<application>`.
    pub(super) url: At<String>,
    /// National with two steps: where secrets are got.
    pub(super) refresh_url: Option<At<String>>,
    /// Where in an answer the outcome's code stands, as a JSON pointer. Default `/data/result`.
    pub(super) result: Option<At<String>>,
    /// How long an answer may take, in milliseconds. Default 3000.
    #[schemars(range(min = 10, max = 10_000))]
    pub(super) timeout_ms: Option<At<u32>>,
    pub(super) services: Vec<At<RawService>>,
}
