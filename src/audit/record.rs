//! The record of one call: who asked what, for what purpose, what was decided and what was said.
//!
//! A call's record is begun when it arrives and told what is learnt on the way, so that a refusal is recorded with all
//! that was known by then. It holds no register value and no raw identifier of a subject: those who must find a person's
//! calls compute the pseudonym again.
//!
//! The JSON is compact, members in the order below, absent ones left out. Names are stable: new members may come, none
//! changes its meaning.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    AuditError, Digest, Operation, RecordedDecision,
    nodes::{AskedNode, Counts},
    receipt::{LogPlace, ReceiptClaims},
    returned::Returned,
};
use crate::{
    identifiers::{
        AgreementId, CallId, CaseNo, ClientId, ConsentRef, CreditCode, DatasetId, DepartmentId, FieldName, ItemCode,
        NodeId, VersionNo,
    },
    problem::Code,
};

/// The door through which nearly every call comes.
const USUAL_CHANNEL: &str = "api";

/// The record of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The call's id, UUID version 7; the caller has it too.
    pub call_id: CallId,
    /// When the call arrived: RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "milliseconds")]
    pub time: DateTime<Utc>,
    pub operation: Operation,
    /// The calling system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The department on whose behalf it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<DepartmentId>,
    /// That department's unified social credit code (GB 32100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department_credit_code: Option<CreditCode>,
    /// The service item for whose sake the call is made (GB/T 39554.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemCode>,
    /// The caller's number of the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseNo>,
    /// The agreement that covers the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetId>,
    /// The published version that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<VersionNo>,
    /// When that version's data was true, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Pseudonym of the person or enterprise: `<key id>:<HMAC-SHA-256 in hexadecimal>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The key field by which the subject was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_field: Option<FieldName>,
    /// Fields asked: claimed, or wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldName>,
    /// Names of the fields whose values left, masked or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclosed: Vec<String>,
    /// What was counted, where records were counted and none was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Counts>,
    /// What was handed to a node, where that was it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// How much the client's calls looked like a walk through the register, where they did: 1 warn, 2 slow, 3 block.
    #[serde(default, skip_serializing_if = "is_none")]
    pub suspicion: u8,
    /// The nodes that have forwarded the call, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<NodeId>,
    /// The call's id at the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_as: Option<CallId>,
    /// The nodes that were asked for the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedNode>,
    /// The call with an indeterminate answer that this one finishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finishes: Option<CallId>,
    /// The door through which the call came, where it is not the node's own interface: `peer`, `uplink`, `recheck`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The node at which it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<NodeId>,
    /// Calls of the day before this one, in percent of those that the agreement allows, in steps of ten.
    #[serde(default, skip_serializing_if = "is_none")]
    pub volume: u8,
    /// The caller's reference to the record of the subject's consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentRef>,
    /// Pseudonyms of the official in whose name the system called, and of the second one who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    pub decision: RecordedDecision,
    /// The policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// What policy demanded of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<String>,
    /// What the answer says: `match`, `mismatch`, `found`, `not_found`, `indeterminate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why an outcome is indeterminate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The problem code, where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// SHA-256 of the request body as it was sent, hexadecimal.
    pub request_sha256: Digest,
    /// SHA-256 of the answer in RFC 8785 form without its receipt, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_sha256: Option<Digest>,
    /// Hash of the policy set that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<String>,
    /// From arrival until the record was made, in microseconds.
    pub latency_us: u64,
    /// The id under which the caller or its proxy traces the request, if it sent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What an answer said, as far as the record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub outcome: String,
    pub reason: Option<String>,
    pub dataset_version: Option<u64>,
    /// RFC 3339.
    pub as_of: Option<String>,
    /// Names of the fields whose values leave.
    pub disclosed: Vec<String>,
}

impl Record {
    /// A call has arrived; nothing is known of it, and nothing is allowed.
    pub fn begin(
        call_id: CallId,
        received: DateTime<Utc>,
        operation: Operation,
        request_sha256: impl Into<Digest>,
    ) -> Self {
        Self {
            call_id,
            time: received.trunc_subsecs(3),
            operation,
            client: None,
            department: None,
            department_credit_code: None,
            item: None,
            case: None,
            agreement: None,
            dataset: None,
            dataset_version: None,
            as_of: None,
            subject: None,
            subject_field: None,
            fields: Vec::new(),
            disclosed: Vec::new(),
            statistics: None,
            returned: None,
            suspicion: 0,
            via: Vec::new(),
            forwarded_as: None,
            asked: Vec::new(),
            finishes: None,
            channel: None,
            origin: None,
            volume: 0,
            consent: None,
            operator: None,
            approver: None,
            decision: RecordedDecision::Refused,
            policies: Vec::new(),
            obligations: Vec::new(),
            outcome: None,
            reason: None,
            code: None,
            request_sha256: request_sha256.into(),
            answer_sha256: None,
            policy_set: None,
            latency_us: 0,
            trace: None,
        }
    }

    pub fn caller(&mut self, client: &ClientId, department: &DepartmentId) {
        self.client = Some(client.clone());
        self.department = Some(department.clone());
    }

    /// The call came from another node: the nodes that it has passed, and its id at the last of them.
    pub fn forwarded(&mut self, forwarded: Option<(&[NodeId], CallId)>) {
        if let Some((via, id)) = forwarded {
            (self.via, self.forwarded_as) = (via.to_vec(), Some(id));
        }
    }

    pub fn asked(&mut self, asked: Vec<AskedNode>) {
        self.asked = asked;
    }

    /// `subject` is a pseudonym, never the number itself.
    pub fn call(
        &mut self,
        dataset: &DatasetId,
        item: &ItemCode,
        case: Option<&CaseNo>,
        subject_field: &FieldName,
        subject: String,
        fields: &[FieldName],
    ) {
        self.dataset = Some(dataset.clone());
        self.item = Some(item.clone());
        self.case = case.cloned();
        self.subject_field = Some(subject_field.clone());
        self.subject = Some(subject);
        self.fields = fields.to_vec();
    }

    /// How the call came. The usual door is not written down.
    pub fn manner(&mut self, channel: &str, origin: &NodeId, volume_percent: u8) {
        self.channel = Some(channel.to_owned()).filter(|channel| channel != USUAL_CHANNEL);
        self.origin = Some(origin.clone());
        self.volume = volume_percent;
    }

    /// What a statement is made for. Its subject is nobody.
    pub fn purpose(&mut self, item: &ItemCode, case: &CaseNo) {
        self.item = Some(item.clone());
        self.case = Some(case.clone());
    }

    /// What a statement looks at.
    pub fn counts_in<'a>(&mut self, dataset: &DatasetId, fields: impl IntoIterator<Item = &'a FieldName>) {
        self.dataset = Some(dataset.clone());
        self.fields = fields.into_iter().cloned().collect();
    }

    /// A statement was answered.
    pub fn counted(&mut self, counts: Counts, version: Option<VersionNo>, as_of: Option<String>) {
        self.statistics = Some(counts);
        self.outcome = Some("counted".to_owned());
        self.dataset_version = version;
        self.as_of = as_of;
    }

    pub fn agreement(&mut self, agreement: Option<&AgreementId>) {
        self.agreement = agreement.cloned();
    }

    pub fn allowed(&mut self, policies: Vec<String>, obligations: &[impl AsRef<str>], policy_set: &str) {
        self.decision = RecordedDecision::Allow;
        self.policies = policies;
        self.obligations = obligations.iter().map(|word| word.as_ref().to_owned()).collect();
        self.policy_set = Some(policy_set.to_owned());
    }

    pub fn denied(&mut self, policies: Vec<String>, policy_set: &str) {
        self.decision = RecordedDecision::Deny;
        self.policies = policies;
        self.policy_set = Some(policy_set.to_owned());
    }

    pub fn answered(&mut self, answered: &Answered, answer_sha256: impl Into<Digest>) {
        self.outcome = Some(answered.outcome.clone());
        self.reason.clone_from(&answered.reason);
        self.dataset_version = answered.dataset_version.map(VersionNo);
        self.as_of.clone_from(&answered.as_of);
        self.disclosed.clone_from(&answered.disclosed);
        self.answer_sha256 = Some(answer_sha256.into());
    }

    /// There is no answer. What policy had decided by then stays decided.
    pub fn refused(&mut self, code: Code) {
        self.code = Some(code.as_str().to_owned());
    }

    pub fn took(&mut self, latency: Duration) {
        self.latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    }

    /// The payload for the log.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AuditError> {
        serde_json::to_vec(self).map_err(not_a_record)
    }

    /// A payload of the log, read again. Members that a later version added are passed over.
    pub fn from_bytes(payload: &[u8]) -> Result<Self, AuditError> {
        serde_json::from_slice(payload).map_err(not_a_record)
    }

    /// What the receipt of the answer states, where the record stands at that place of the log.
    pub fn receipt_claims(&self, issuer: &str, log: LogPlace) -> Result<ReceiptClaims, AuditError> {
        fn known<T: Clone>(member: Option<&T>, missing: &'static str) -> Result<T, AuditError> {
            member.cloned().ok_or(AuditError::NotAnswered { missing })
        }
        Ok(ReceiptClaims {
            iss: issuer.to_owned(),
            iat: self.time.timestamp(),
            jti: self.call_id,
            client: known(self.client.as_ref(), "client")?,
            department: known(self.department.as_ref(), "department")?,
            item: known(self.item.as_ref(), "item")?,
            case: self.case.clone(),
            operation: self.operation,
            dataset: known(self.dataset.as_ref(), "dataset")?,
            dataset_version: self.dataset_version,
            as_of: self.as_of.clone(),
            decision: self.decision,
            outcome: known(self.outcome.as_ref(), "outcome")?,
            policy_set: known(self.policy_set.as_ref(), "policy_set")?,
            request_sha256: self.request_sha256,
            answer_sha256: known(self.answer_sha256.as_ref(), "answer_sha256")?,
            log,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(number: &u8) -> bool {
    *number == 0
}

fn not_a_record(error: serde_json::Error) -> AuditError {
    // The position and kind only: the text of a serde error may quote what it read.
    let reason = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
    AuditError::NotARecord { reason }
}

fn milliseconds<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;

    pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";

    pub(crate) fn answered_record() -> Record {
        let received = "2026-11-24T06:30:00.123456Z".parse().unwrap();
        let call_id = "0193a5b2-7c00-7000-8000-000000000001".parse().unwrap();
        let mut record = Record::begin(call_id, received, Operation::Verification, [1; 32]);
        record.caller(&"gz-hukou-window".parse().unwrap(), &"gz-civil-affairs".parse().unwrap());
        record.call(
            &"natural-person".parse().unwrap(),
            &ITEM.parse().unwrap(),
            Some(&"CASE-7".parse().unwrap()),
            &"resident_id".parse().unwrap(),
            "p1:00ff".to_owned(),
            &["name".parse().unwrap()],
        );
        record.agreement(Some(&"agr-0001".parse().unwrap()));
        record.allowed(vec!["item-needs-field".to_owned()], &["fold_not_found".to_owned()], "abcd");
        let answered = Answered {
            outcome: "match".to_owned(),
            reason: None,
            dataset_version: Some(3),
            as_of: Some("2026-11-23T00:00:00.000Z".to_owned()),
            disclosed: Vec::new(),
        };
        record.answered(&answered, [2; 32]);
        record.took(Duration::from_micros(417));
        record
    }

    #[test]
    fn a_record_reads_back_and_has_stable_names() {
        let record = answered_record();
        let bytes = record.to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"{"call_id":"0193a5b2-7c00-7000-8000-000000000001","time":"2026-11-24T06:30:00.123Z","operation":"verification","client":"gz-hukou-window","department":"gz-civil-affairs","item":"11440100MB9YYY997R3440101001000","case":"CASE-7","agreement":"agr-0001","dataset":"natural-person","dataset_version":3,"as_of":"2026-11-23T00:00:00.000Z","subject":"p1:00ff","subject_field":"resident_id","fields":["name"],"decision":"allow","policies":["item-needs-field"],"obligations":["fold_not_found"],"outcome":"match","request_sha256":"0101010101010101010101010101010101010101010101010101010101010101","answer_sha256":"0202020202020202020202020202020202020202020202020202020202020202","policy_set":"abcd","latency_us":417}"#);
    }

    #[test]
    fn how_a_call_came_is_recorded_where_it_is_not_as_usual() {
        let old = answered_record();
        assert_eq!((&old.origin, &old.channel, old.volume), (&None, &None, 0), "a record of an older version");
        let mut record = old.clone();
        record.manner("peer", &"shenzhen".parse().unwrap(), 30);
        record.consent = Some("CONSENT-1".parse().unwrap());
        (record.operator, record.approver) = (Some("p1:01".to_owned()), Some("p1:02".to_owned()));
        let bytes = record.to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
        let written = String::from_utf8(bytes).unwrap();
        let said = r#""channel":"peer","origin":"shenzhen","volume":30,"consent":"CONSENT-1","operator":"p1:01","approver":"p1:02""#;
        assert!(written.contains(said), "{written}");
        record.manner("api", &"shenzhen".parse().unwrap(), 0);
        let written = String::from_utf8(record.to_bytes().unwrap()).unwrap();
        assert!(!written.contains("channel") && !written.contains("volume"), "{written}");
    }

    #[test]
    fn a_refusal_is_recorded_with_what_was_known_by_then() {
        let received = "2026-11-24T06:30:00Z".parse().unwrap();
        let call_id = "0193a5b2-7c00-7000-8000-000000000001".parse().unwrap();
        let mut record = Record::begin(call_id, received, Operation::Disclosure, [1; 32]);
        record.refused(Code::TokenMissing);
        let written = String::from_utf8(record.to_bytes().unwrap()).unwrap();
        let hash = "01".repeat(32);
        let expected = format!(
            r#"{{"call_id":"0193a5b2-7c00-7000-8000-000000000001","time":"2026-11-24T06:30:00.000Z","operation":"disclosure","decision":"refused","code":"token_missing","request_sha256":"{hash}","latency_us":0}}"#
        );
        assert_eq!(written, expected);
    }

    #[test]
    fn a_denial_stays_a_denial() {
        let mut record = answered_record();
        record.denied(vec!["no-agreement".to_owned()], "abcd");
        record.refused(Code::Denied);
        assert_eq!((record.decision, record.code.as_deref()), (RecordedDecision::Deny, Some("denied")));
    }

    #[test]
    fn only_an_answer_has_a_receipt() {
        let place = LogPlace { id: Uuid::nil(), index: None, leaf: Digest([0; 32]) };
        let claims = |record: &Record| record.receipt_claims("https://node.example", place);
        assert!(claims(&answered_record()).is_ok());
        let mut refused = answered_record();
        refused.answer_sha256 = None;
        assert!(matches!(claims(&refused), Err(AuditError::NotAnswered { missing: "answer_sha256" })));
    }

    #[test]
    fn a_payload_that_is_no_record_says_where_and_does_not_repeat_it() {
        let error = Record::from_bytes(br#"{"call_id":"440100188912310015"}"#).unwrap_err();
        assert!(!error.to_string().contains("440100188912310015"), "{error}");
    }
}
