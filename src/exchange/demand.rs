//! Step 5: what an allowed call still has to bring, where a permit obliges to it.

use super::call::Call;
use crate::{
    policy::Obligations,
    problem::{Code, Problem},
};

/// The call brings what it is allowed under: the subject's consent, a second official's approval.
pub(super) fn met(obligations: &Obligations, call: &Call, policies: &[String]) -> Result<(), Problem> {
    let (code, detail, field, remedy) = if obligations.require_consent && call.consent.is_none() {
        (
            Code::ConsentRequired,
            "this is answered with the consent of the subject only",
            "/consent",
            "Ask the applicant, and send your reference to the record of the consent in `consent`.",
        )
    } else if obligations.require_second_approver && call.approver.is_none() {
        (
            Code::SecondApproverRequired,
            "this is answered with the approval of a second official only",
            "/approver",
            "Send the official in whose name you call in `operator`, and the one who approved in `approver`.",
        )
    } else {
        return Ok(());
    };
    Err(Problem::new(code, detail).at(field).remedy(remedy).policies(policies.to_vec()))
}
