//! One decision.

use cedar_policy::Authorizer;

use super::{Obligations, PolicySet, Question, obligations::unite};

/// Named where no policy decided, because none held.
const DEFAULT_DENY: &str = "default-deny";

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

impl PolicySet {
    /// Decide a question. Pure: the same question has the same decision, now and in a replay.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let asked = match question.in_cedar(&self.names) {
            Ok(asked) => asked,
            Err(reason) => return deny(DEFAULT_DENY, format!("the question could not be put: {reason}")),
        };
        let response = Authorizer::new().is_authorized(&asked.request, &self.cedar, &asked.entities);
        // A policy that cannot be evaluated might have forbidden the call: deny, whatever the others say.
        if let Some(error) = response.diagnostics().errors().next() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(failed) = error;
            return deny(failed.policy_id().as_ref(), "the policy could not be evaluated".to_owned());
        }
        let mut decided: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        decided.sort();
        let rules = || decided.iter().filter_map(|id| self.rules.get(id));
        match response.decision() {
            cedar_policy::Decision::Allow => {
                let obligations = unite(rules().map(|rule| &rule.obliging), question);
                Decision::Allow { obligations, policies: decided }
            }
            cedar_policy::Decision::Deny if decided.is_empty() => {
                deny(DEFAULT_DENY, "nothing permits the call".to_owned())
            }
            cedar_policy::Decision::Deny => {
                let reasons = rules().map(|rule| rule.why.clone()).collect();
                Decision::Deny { reasons, policies: decided }
            }
        }
    }
}

fn deny(policy: &str, reason: String) -> Decision {
    Decision::Deny { policies: vec![policy.to_owned()], reasons: vec![reason] }
}
