//! Random numbers that depend on nothing but seed, kind and number.

/// A SplitMix64 stream (Steele, Lea and Flood, 2014). Chosen over a library's generator because it starts in a nanosecond,
/// once a row, and cannot change with a library's version: the same seed must make the same register for ever.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, kind: u64, number: u64) -> Self {
        let mixed = mix(mix(seed ^ 0x5348_5551_4941_4f00).wrapping_add(kind));
        Self(mix(mixed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound` (0 where `bound` is 0). The bias of this method is below 2^-40 for our bounds.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True so many times in ten thousand.
    pub(crate) fn in_ten_thousand(&mut self, times: u64) -> bool {
        self.below(10_000) < times
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// An element of a table of (element, weight).
    pub(super) fn weighted<T: Copy>(&mut self, table: &[(T, u32)]) -> T {
        let total: u64 = table.iter().map(|&(_, weight)| u64::from(weight)).sum();
        let mut left = self.below(total);
        for &(element, weight) in table {
            if left < u64::from(weight) {
                return element;
            }
            left -= u64::from(weight);
        }
        table[0].0
    }
}

pub(super) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
