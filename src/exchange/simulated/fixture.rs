//! What the surroundings ask of the simulation.

/// A number from the environment, or the usual one.
pub(super) fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}
