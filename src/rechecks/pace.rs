//! How long one waits between two tries, and which refusals are no end. Pure; chance comes in from outside.

use std::time::Duration;

use crate::problem::Code;

/// The longest pause: what comes back after an outage is noticed within the hour.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// The pause after so many tries: the first one doubled each time, up to an hour; then up to a quarter less, as `dice`
/// falls, so that what failed together does not come again together.
pub fn pause(first: Duration, tries: u32, dice: u8) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    let pause = doubled.min(PAUSE_MAX.max(first));
    pause - pause * u32::from(dice) / 1_024
}

/// Does a refusal pass by itself? Then the call is tried again like one that was answered `indeterminate`.
pub fn passes_by_itself(code: Code) -> bool {
    matches!(
        code,
        Code::RateLimited
            | Code::QuotaExceeded
            | Code::EnumerationSlowed
            | Code::EnumerationBlocked
            | Code::Suspended
            | Code::Overloaded
            | Code::AuditUnavailable
            | Code::NotReady
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_chance_only_shortens_them() {
        let first = Duration::from_secs(30);
        for (tries, seconds) in
            [(0, 30), (1, 30), (2, 60), (3, 120), (7, 1_920), (8, 3_600), (40, 3_600), (u32::MAX, 3_600)]
        {
            assert_eq!(pause(first, tries, 0), Duration::from_secs(seconds), "{tries}");
            for dice in 0..=u8::MAX {
                let shortened = pause(first, tries, dice);
                assert!(shortened <= pause(first, tries, 0) && shortened * 4 >= pause(first, tries, 0) * 3, "{dice}");
            }
        }
        assert_eq!(pause(PAUSE_MAX * 2, 1, 0), PAUSE_MAX * 2, "the first pause is what was set");
    }

    #[test]
    fn a_refusal_that_says_when_to_come_again_is_no_end() {
        assert!(passes_by_itself(Code::QuotaExceeded) && passes_by_itself(Code::Suspended));
        for code in
            [Code::Denied, Code::ClientRejected, Code::CallerSuspended, Code::UnknownItem, Code::ConsentRequired]
        {
            assert!(!passes_by_itself(code), "{code}");
        }
    }
}
