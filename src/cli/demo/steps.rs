//! The steps of the demo, told one by one.

/// What came out wrong so far.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) wrong: Vec<String>,
}

impl Steps {
    /// Tell a step and what came of it.
    pub(super) fn check(&mut self, step: &str, right: bool, came: &str) {
        println!("  {} {step}: {came}", if right { "ok " } else { "BAD" });
        if !right {
            self.wrong.push(format!("{step}: {came}"));
        }
    }
}
