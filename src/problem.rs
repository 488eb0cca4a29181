//! Error codes: the one vocabulary of what can go wrong, shared by HTTP, the command line and (later) peers.
//!
//! Floor 0: uses nothing of ours. No HTTP in it: `http::problem` maps a [`Code`] to a status, the command line to an
//! exit status. Every code is documented here; `docs/errors.md` is generated from this list and a test holds them equal.

use std::{fmt, time::Duration};

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $text:literal ),+ $(,)?) => {
        /// A stable name for one way in which a request can fail. Never reused, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $( $(#[doc = $doc])+ $variant ),+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[ $( Code::$variant ),+ ];

            /// The code as it stands in `code` of a problem body and in the log.
            pub const fn as_str(self) -> &'static str {
                match self { $( Code::$variant => $text ),+ }
            }

            /// What the code means, as printed in `docs/errors.md`.
            pub const fn meaning(self) -> &'static str {
                match self { $( Code::$variant => concat!($( $doc ),+) ),+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not of the documented shape.
    MalformedBody = "malformed_body",
    /// A value is of the right shape but fails its check: a check digit, a date, a code, an operator.
    InvalidValue = "invalid_value",
    /// The content type is not the one documented.
    UnsupportedMediaType = "unsupported_media_type",
    /// The body is larger than the node accepts.
    BodyTooLarge = "body_too_large",
    /// The dataset is not in this node's catalogue.
    UnknownDataset = "unknown_dataset",
    /// The service item is not in this node's catalogue.
    UnknownItem = "unknown_item",
    /// The dataset has no such field, or the field cannot be used in that way.
    UnknownField = "unknown_field",
    /// No bearer token was sent.
    TokenMissing = "token_missing",
    /// The bearer token was refused: signature, issuer, audience, type, time or client.
    TokenInvalid = "token_invalid",
    /// The client is not known here, or its assertion was refused.
    ClientRejected = "client_rejected",
    /// The token request is not of the documented form.
    TokenRequestInvalid = "token_request_invalid",
    /// A request in the manner of a platform above is not signed, or not rightly: headers, clock, signature or body digest.
    SignatureRefused = "signature_refused",
    /// The same signed request was answered before.
    Replayed = "replayed",
    /// No service has this number here.
    UnknownService = "unknown_service",
    /// Policy says no; `policies` names the policies that decided.
    Denied = "denied",
    /// A policy demands the subject's consent, and the call names none: `consent`.
    ConsentRequired = "consent_required",
    /// A policy demands a second official, and the call names none: `operator` and `approver`.
    SecondApproverRequired = "second_approver_required",
    /// The account does not have the role that this takes, or a person's account was used for a call.
    RoleRequired = "role_required",
    /// The client, or the agreement that it calls under, is suspended.
    CallerSuspended = "caller_suspended",
    /// What the call needs is suspended: the dataset, a field, a peer, or the whole node.
    Suspended = "suspended",
    /// There is no such thing under this name.
    NotFound = "not_found",
    /// Somebody else was first, or the thing is not in a state in which this can be done.
    Conflict = "conflict",
    /// The version of the dataset has been removed, or was never published here.
    VersionRemoved = "version_removed",
    /// Too many wrong subjects were named for one receipt or objection; no further one is looked at.
    GuessesExceeded = "guesses_exceeded",
    /// The account has acted on the other side of the same matter, or prepared what it is to decide.
    SeparationOfDuties = "separation_of_duties",
    /// The dataset is not shared; `detail` names the legal ground.
    NotShared = "not_shared",
    /// The client calls faster than its agreement allows.
    RateLimited = "rate_limited",
    /// The agreement's quota for the day is used up.
    QuotaExceeded = "quota_exceeded",
    /// As many calls of the client as may be wait to be finished later.
    RechecksFull = "rechecks_full",
    /// The client's calls look like a walk through the register: few a minute are answered until its steward has looked.
    EnumerationSlowed = "enumeration_slowed",
    /// The client's calls look like a walk through the register: none is answered for a time, unless its steward lifts that.
    EnumerationBlocked = "enumeration_blocked",
    /// The other node is not in the directory of nodes, or the directory is too old to go by.
    PeerUnknown = "peer_unknown",
    /// The token of a forwarded call was refused: signature, sender, receiver, time or body.
    PeerTokenInvalid = "peer_token_invalid",
    /// The call came in at a node with which its department is not registered: a node speaks for its own departments only.
    PeerDepartment = "peer_department",
    /// The forwarded call was answered before, and its answer is no longer here; or its id came with another body.
    PeerCallRepeated = "peer_call_repeated",
    /// The forwarded call has passed this node before, or too many nodes.
    ForwardingLoop = "forwarding_loop",
    /// The other node could not be asked.
    PeerUnreachable = "peer_unreachable",
    /// The SQL statement does not make statistics only; `detail` names the part, and the remedy the rule.
    StatementRefused = "statement_refused",
    /// The statement took longer than the node gives it.
    StatementTooSlow = "statement_too_slow",
    /// Some of the nodes that keep the records told nothing; `detail` names them.
    NodesMissing = "nodes_missing",
    /// The dataset is not returned to the node that asks for it.
    NotReturned = "not_returned",
    /// What another node has returned is not what it has signed, or not the next version; what was here before stays.
    ReturnInvalid = "return_invalid",
    /// No such path.
    NoSuchPath = "no_such_path",
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed",
    /// The request took longer to arrive than the node waits.
    RequestTimeout = "request_timeout",
    /// The node has more calls under way than it can finish in time.
    Overloaded = "overloaded",
    /// The audit log could not be made durable, so no answer may leave.
    AuditUnavailable = "audit_unavailable",
    /// A start-up probe has not passed, or the node is shutting down.
    NotReady = "not_ready",
    /// The catalogue does not hold together.
    CatalogInvalid = "catalog_invalid",
    /// The configuration does not hold together.
    ConfigInvalid = "config_invalid",
    /// The policy set does not hold together.
    PolicyInvalid = "policy_invalid",
    /// A publication was refused: too many bad rows, or a shape that is not the catalogue's.
    PublicationRefused = "publication_refused",
    /// Stored data could not be read or written.
    StorageFailed = "storage_failed",
    /// The audit log is damaged in a way that a torn write does not explain.
    LogDamaged = "log_damaged",
    /// A receipt does not verify.
    ReceiptInvalid = "receipt_invalid",
    /// A fault of the node itself; the call id finds it in the log.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller is told when something was refused or failed (promise 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// One line, lower case, the caller's own input in backticks, never a register value.
    pub detail: String,
    /// JSON pointer of the offending field, such as `/subject/resident_id`.
    pub field: Option<String>,
    /// What the caller can do about it, as a sentence of its own.
    pub remedy: Option<String>,
    /// The policies that decided, where policy refused.
    pub policies: Vec<String>,
    /// Seconds until another try makes sense.
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, remedy: None, policies: Vec::new(), retry_after: None }
    }

    /// Name the offending field by JSON pointer.
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.field = Some(pointer.into());
        self
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub fn policies(mut self, policies: Vec<String>) -> Self {
        self.policies = policies;
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// `Retry-After` knows whole seconds: those that have passed once the wait is over, and never none.
    pub fn retry_once_over(self, wait: Duration) -> Self {
        let begun = u64::from(wait.subsec_nanos() > 0);
        self.retry_after((wait.as_secs() + begun).max(1))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        if let Some(field) = &self.field {
            write!(f, " (at {field})")?;
        }
        match &self.remedy {
            Some(remedy) => write!(f, ". {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_the_seconds_after_which_it_is_over() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60), (60_000, 60)] {
            let problem =
                Problem::new(Code::RateLimited, "too fast").retry_once_over(Duration::from_millis(milliseconds));
            assert_eq!(problem.retry_after, Some(seconds), "{milliseconds} ms");
        }
    }
}
