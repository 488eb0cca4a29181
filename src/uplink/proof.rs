//! Step 1 of a call in the manner of a platform above: who has signed it, when, and was it answered before?
//!
//! Everything is looked at before the request is remembered: what does not prove itself takes no room.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{
    Manner,
    replay::{First, Remembered},
    secret,
    service::Service,
    sign::{self, Tuple},
};
use crate::{
    identifiers::ClientId,
    keys::SharedKey,
    problem::{Code, Problem},
};

/// Whose calls are taken, and what can be asked.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) callers: BTreeMap<(Manner, String), Caller>,
    pub(super) services: BTreeMap<(Manner, String), Service>,
    /// What was answered before the node started is not remembered, so what was signed before is not taken.
    pub(super) started: DateTime<Utc>,
}

/// One who calls in the manner of a platform.
#[derive(Debug)]
pub(super) struct Caller {
    /// The registered client that it is.
    pub(super) client: ClientId,
    pub(super) key: SharedKey,
    /// National: calls are signed with a secret that is refreshed, not with the key itself.
    pub(super) two_steps: bool,
    pub(super) body: BodyProof,
    /// A signature is good once, whatever the body; else once for each body.
    pub(super) tuple_once: bool,
    pub(super) skew: TimeDelta,
    pub(super) remembered: Remembered,
}

/// What a caller must send to vouch for the body, which the platforms' signatures do not cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BodyProof {
    /// Nothing. What is sent is checked all the same.
    Nothing,
    /// `content-digest`: against accidents.
    Digest,
    /// `content-digest` and `x-shuqiao-signature`: against whoever stands between.
    Signature,
}

/// A request as it came: headers that may be missing. One that stood twice, or is no visible ASCII, is empty.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    pub desk: &'a Desk,
    pub carried: Carried<'a>,
    pub content_digest: Option<&'a str>,
    pub body_signature: Option<&'a str>,
}

/// The headers of one manner.
#[derive(Clone, Copy, Debug)]
pub enum Carried<'a> {
    National {
        rid: Option<&'a str>,
        sid: Option<&'a str>,
        rtime: Option<&'a str>,
        sign: Option<&'a str>,
    },
    Tif {
        /// The application in the path.
        app: &'a str,
        /// The service in the path.
        service: &'a str,
        paasid: Option<&'a str>,
        timestamp: Option<&'a str>,
        nonce: Option<&'a str>,
        signature: Option<&'a str>,
    },
}

/// Who has signed a request, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    pub client: ClientId,
    pub signed_at: DateTime<Utc>,
    /// From then on the signature is too old.
    pub expires: DateTime<Utc>,
}

/// The sealed secret for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    pub secret: String,
    pub end: DateTime<Utc>,
}

/// Why a request does not prove itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("header `{name}` is missing")]
    HeaderMissing { name: &'static str },
    #[error("`{name}` is not {expected}")]
    HeaderShape { name: &'static str, expected: &'static str },
    #[error("the path names another application than `x-tif-paasid`")]
    OtherApplication,
    #[error("`{caller}` is not on the list of those who may call in the {} manner", manner.as_str())]
    CallerUnknown { manner: Manner, caller: String },
    #[error("it was signed at {}, and here it is {}: more than {seconds_max} seconds lie between", shown(.at), shown(.now))]
    Skewed { at: DateTime<Utc>, now: DateTime<Utc>, seconds_max: i64 },
    #[error("it was signed before this node was started, and what was answered before then is not remembered")]
    BeforeStart,
    #[error("its signature does not verify")]
    Signature,
    #[error("it is signed with the appKey, and calls are signed with the secret")]
    AppKey,
    #[error("it is signed with a secret that ended at {}", shown(.end))]
    SecretEnded { end: DateTime<Utc> },
    #[error("the caller calls without a secret")]
    NoSecret,
    #[error("the body is not the one that `content-digest` states")]
    OtherBody,
    #[error("`x-shuqiao-signature` does not verify")]
    BodySignature,
    #[error("the same request was answered before")]
    Replayed,
    #[error("more signed requests are remembered of this caller than there is room for")]
    NoRoom,
}

impl Unproven {
    pub fn code(&self) -> Code {
        match self {
            Self::CallerUnknown { .. } => Code::ClientRejected,
            Self::Replayed => Code::Replayed,
            Self::NoRoom => Code::Overloaded,
            Self::HeaderMissing { .. }
            | Self::HeaderShape { .. }
            | Self::OtherApplication
            | Self::Skewed { .. }
            | Self::BeforeStart
            | Self::Signature
            | Self::AppKey
            | Self::SecretEnded { .. }
            | Self::NoSecret
            | Self::OtherBody
            | Self::BodySignature => Code::SignatureRefused,
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::HeaderMissing { .. } => "Send it once, as docs/uplink.md describes.",
            Self::HeaderShape { .. } => "Send it once, in that form.",
            Self::OtherApplication => "Name the same application in both.",
            Self::CallerUnknown { .. } => "Ask the node's operator to list the caller.",
            Self::Skewed { .. } => "Set the clock by NTP, and sign each request when it is sent.",
            Self::BeforeStart => "Sign it again.",
            Self::Signature => "Sign with the key of this caller, over the headers as they are sent.",
            Self::AppKey | Self::SecretEnded { .. } => "Get a secret at /uplink/national/auth/refreshappsecret.",
            Self::NoSecret => "Sign calls with the appKey.",
            Self::OtherBody => "Send the body unchanged, and the SHA-256 of its bytes.",
            Self::BodySignature => "Sign service, caller, time and digest as docs/uplink.md describes.",
            Self::Replayed => "Sign it again with the time that it is now.",
            Self::NoRoom => "Call more slowly.",
        }
    }
}

impl From<Unproven> for Problem {
    fn from(unproven: Unproven) -> Self {
        let problem = Self::new(unproven.code(), unproven.to_string()).remedy(unproven.remedy());
        match unproven {
            Unproven::Replayed | Unproven::BeforeStart | Unproven::NoRoom => problem.retry_after(1),
            _ => problem,
        }
    }
}

impl Desk {
    /// What that number of the platform's stands for here.
    pub fn service(&self, manner: Manner, id: &str) -> Result<&Service, Problem> {
        self.services.get(&(manner, id.to_owned())).ok_or_else(|| {
            Problem::new(Code::UnknownService, "no service has that number here")
                .remedy("Ask the node's operator for the number of the service.")
        })
    }
}

impl<'a> Presented<'a> {
    /// Whoever has signed the request, where it is of now and was not answered before.
    pub fn prove(&self, body_sha256: &[u8; 32], now: DateTime<Utc>) -> Result<Proven, Unproven> {
        let (tuple, signature) = self.carried.tuple()?;
        let caller = self.caller(&tuple)?;
        let proven = self.in_time(caller, &tuple, now)?;
        let key = caller.signing_key(&tuple, signature, now)?;
        self.vouched(caller, &tuple, &key, body_sha256)?;
        caller.first(&tuple, body_sha256, proven.expires, now)?;
        Ok(proven)
    }

    /// The secret for whoever has signed the request with its appKey, still sealed.
    pub fn refresh(&self, body_sha256: &[u8; 32], now: DateTime<Utc>) -> Result<(Proven, SealedSecret), Unproven> {
        let (tuple, signature) = self.carried.tuple()?;
        let caller = self.caller(&tuple)?;
        if !caller.two_steps {
            return Err(Unproven::NoSecret);
        }
        let proven = self.in_time(caller, &tuple, now)?;
        let key = caller.key.as_bytes();
        if !tuple.is_signed(key, signature) {
            return Err(Unproven::Signature);
        }
        self.vouched(caller, &tuple, key, body_sha256)?;
        let issued = secret::issue(key, tuple.caller(), now);
        // The key's length was looked at when it was read.
        let secret = secret::seal(key, &issued.text).ok_or(Unproven::NoSecret)?;
        Ok((proven, SealedSecret { secret, end: issued.end }))
    }

    fn caller(&self, tuple: &Tuple<'_>) -> Result<&'a Caller, Unproven> {
        let known = self.desk.callers.get(&(tuple.manner(), tuple.caller().to_owned()));
        known.ok_or_else(|| Unproven::CallerUnknown { manner: tuple.manner(), caller: tuple.caller().to_owned() })
    }

    fn in_time(&self, caller: &Caller, tuple: &Tuple<'_>, now: DateTime<Utc>) -> Result<Proven, Unproven> {
        let at = tuple.time()?;
        if (at - now).abs() > caller.skew {
            return Err(Unproven::Skewed { at, now, seconds_max: caller.skew.num_seconds() });
        }
        if at < self.desk.started {
            return Err(Unproven::BeforeStart);
        }
        Ok(Proven { client: caller.client.clone(), signed_at: at, expires: at + caller.skew })
    }

    /// Is the body the one that was signed for, as far as the caller must say, or says?
    fn vouched(&self, caller: &Caller, tuple: &Tuple<'_>, key: &[u8], body_sha256: &[u8; 32]) -> Result<(), Unproven> {
        let demanded = |at_least, name| match caller.body >= at_least {
            true => Err(Unproven::HeaderMissing { name }),
            false => Ok(()),
        };
        let Some(stated) = self.content_digest else {
            demanded(BodyProof::Digest, sign::CONTENT_DIGEST)?;
            return match self.body_signature {
                Some(_) => Err(Unproven::HeaderMissing { name: sign::CONTENT_DIGEST }),
                None => Ok(()),
            };
        };
        if !sign::states_digest(stated, body_sha256)? {
            return Err(Unproven::OtherBody);
        }
        match self.body_signature {
            Some(signature) if tuple.is_body_signed(key, stated, signature) => Ok(()),
            Some(_) => Err(Unproven::BodySignature),
            None => demanded(BodyProof::Signature, sign::BODY_SIGNATURE),
        }
    }
}

impl<'a> Carried<'a> {
    pub fn manner(&self) -> Manner {
        match self {
            Self::National { .. } => Manner::National,
            Self::Tif { .. } => Manner::Tif,
        }
    }

    /// The number of the service that is asked, where it was said.
    pub fn service(&self) -> &'a str {
        match self {
            Self::National { sid, .. } => sid.unwrap_or_default(),
            Self::Tif { service, .. } => service,
        }
    }

    /// What is signed, and the signature. All headers must be there.
    fn tuple(&self) -> Result<(Tuple<'a>, &'a str), Unproven> {
        fn sent<'a>(header: Option<&'a str>, name: &'static str) -> Result<&'a str, Unproven> {
            match header {
                Some("") => Err(Unproven::HeaderShape { name, expected: "one header of visible ASCII" }),
                Some(text) => Ok(text),
                None => Err(Unproven::HeaderMissing { name }),
            }
        }
        let (tuple, signature) = match *self {
            Self::National { rid, sid, rtime, sign } => {
                let (rid, sid) = (sent(rid, sign::RID)?, sent(sid, sign::SID)?);
                let rtime = sent(rtime, sign::RTIME)?;
                (Tuple::National { sid, rid, rtime }, sent(sign, sign::SIGN)?)
            }
            Self::Tif { app, service, paasid, timestamp, nonce, signature } => {
                let (paasid, timestamp) = (sent(paasid, sign::PAASID)?, sent(timestamp, sign::TIMESTAMP)?);
                let (nonce, signature) = (sent(nonce, sign::NONCE)?, sent(signature, sign::SIGNATURE)?);
                if app != paasid {
                    return Err(Unproven::OtherApplication);
                }
                let tuple = Tuple::Tif { service, paasid, timestamp, nonce };
                (tuple, signature)
            }
        };
        tuple.check()?;
        Ok((tuple, signature))
    }
}

impl Caller {
    /// The key that the signature was made with, where it is one that is accepted.
    fn signing_key(&self, tuple: &Tuple<'_>, signature: &str, now: DateTime<Utc>) -> Result<Vec<u8>, Unproven> {
        let app_key = self.key.as_bytes();
        let by_app_key = || tuple.is_signed(app_key, signature);
        if !self.two_steps {
            return by_app_key().then(|| app_key.to_vec()).ok_or(Unproven::Signature);
        }
        let signs = |secret: &secret::Secret| tuple.is_signed(secret.text.as_bytes(), signature);
        if let Some(secret) = secret::in_force(app_key, tuple.caller(), now).into_iter().find(signs) {
            return Ok(secret.text.into_bytes());
        }
        // Why not is told to whoever has a key at all: the most frequent fault must not look like the rarest.
        if by_app_key() {
            return Err(Unproven::AppKey);
        }
        let ended = secret::ended(app_key, tuple.caller(), now).into_iter().find(signs);
        Err(ended.map_or(Unproven::Signature, |secret| Unproven::SecretEnded { end: secret.end }))
    }

    fn first(
        &self,
        tuple: &Tuple<'_>,
        body_sha256: &[u8; 32],
        end: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Unproven> {
        let name = tuple.name((!self.tuple_once).then_some(body_sha256));
        match self.remembered.note(name, end, now) {
            First::Yes => Ok(()),
            First::Again => Err(Unproven::Replayed),
            First::Full => Err(Unproven::NoRoom),
        }
    }
}

fn shown(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
