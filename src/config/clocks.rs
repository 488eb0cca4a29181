//! The clocks of the law. The numbers of the law are their ceilings: a province may be quicker, never slower.

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// The clocks of the law, in working days of China.
    "clocks" => ClockSettings {
        /// Working days in which what is shared without conditions can be used. Its application is granted at once.
        "unconditional_days" => unconditional_days: u32 = Rule::Number(&limits::UNCONDITIONAL_DAYS);
        /// Working days in which a provider answers an application for data that is shared under conditions.
        "review_days" => review_days: u32 = Rule::Number(&limits::REVIEW_DAYS);
        /// Working days after a grant in which what was granted can be used.
        "sharing_days" => sharing_days: u32 = Rule::Number(&limits::SHARING_DAYS);
        /// Working days by which a review may be extended, once, with consent of the department in charge of sharing.
        "extension_days_max" => extension_days_max: u32 = Rule::Number(&limits::EXTENSION_DAYS);
        /// Working days after which what is overdue is escalated again, one level higher.
        "escalation_days" => escalation_days: u32 = Rule::Number(&limits::ESCALATION_DAYS);
        /// Working days in which a provider decides an objection against an answer.
        "objection_days" => objection_days: u32 = Rule::Number(&limits::OBJECTION_DAYS);
    }
}
