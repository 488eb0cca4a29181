//! One decision.

use cedar_policy::AuthorizationError;

use super::{Obligations, PolicySet, Question, obligations::unite};

/// Named where no policy decided, because none held.
pub const DEFAULT_DENY: &str = "default-deny";

/// What the policies say to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow {
        /// The permits that hold.
        policies: Vec<String>,
        obligations: Obligations,
    },
    Deny {
        /// The policies that decided.
        policies: Vec<String>,
        /// Why, one sentence for each of them.
        reasons: Vec<String>,
    },
}

impl Decision {
    pub fn allows(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }

    /// The policies that decided, in alphabetical order.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Allow { policies, .. } | Self::Deny { policies, .. } => policies,
        }
    }

    /// The obligations as the record of a call has them; none where the call is denied.
    pub fn obligation_words(&self) -> Vec<String> {
        match self {
            Self::Allow { obligations, .. } => obligations.words(),
            Self::Deny { .. } => Vec::new(),
        }
    }
}

impl PolicySet {
    /// Decide a question. Pure: the same question has the same decision, now and in a replay.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.decide_by(&self.slices.of(question, &self.names), question)
    }

    /// Decide by these policies of the set alone.
    pub(super) fn decide_by(&self, policies: &cedar_policy::PolicySet, question: &Question<'_>) -> Decision {
        let put = question.request(&self.names, None).and_then(|request| {
            let entities = self.parties.of(question, &self.names)?;
            Ok((request, entities))
        });
        let (request, entities) = match put {
            Ok(put) => put,
            Err(reason) => return deny(format!("the question could not be put: {reason}")),
        };
        let response = self.authorizer.is_authorized(&request, policies, &entities);
        let failed: Vec<_> = response.diagnostics().errors().map(failed_policy).collect();
        if !failed.is_empty() {
            return not_evaluated(failed);
        }
        let mut decided: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        decided.sort();
        let rules = || decided.iter().filter_map(|id| self.rules.get(id));
        match response.decision() {
            // A permit that only qualifies others opens nothing where there are none.
            cedar_policy::Decision::Allow if rules().all(|rule| rule.qualifies) => deny_by_default(),
            cedar_policy::Decision::Allow => {
                let obligations = unite(rules().map(|rule| &rule.obliging), question);
                Decision::Allow { obligations, policies: decided }
            }
            cedar_policy::Decision::Deny if decided.is_empty() => deny_by_default(),
            cedar_policy::Decision::Deny => {
                let reasons = rules().map(|rule| rule.why.clone()).collect();
                Decision::Deny { reasons, policies: decided }
            }
        }
    }
}

pub(super) fn failed_policy(error: &AuthorizationError) -> String {
    let AuthorizationError::PolicyEvaluationError(failed) = error;
    failed.policy_id().to_string()
}

/// A policy that cannot be evaluated might have forbidden the call: deny, whatever the others say.
pub(super) fn not_evaluated(mut policies: Vec<String>) -> Decision {
    policies.sort();
    let reasons = policies.iter().map(|_| "the policy could not be evaluated".to_owned()).collect();
    Decision::Deny { policies, reasons }
}

pub(super) fn deny_by_default() -> Decision {
    deny("nothing permits the call".to_owned())
}

pub(super) fn deny(reason: String) -> Decision {
    Decision::Deny { policies: vec![DEFAULT_DENY.to_owned()], reasons: vec![reason] }
}
