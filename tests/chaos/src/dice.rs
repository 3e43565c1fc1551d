//! Chance that a seed repeats.

/// Numbers that are the same in every run with the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Of a seed, and of what tells this use of it from all others.
    pub fn of(seed: u64, parts: &[u64]) -> Self {
        let mut dice = Self(seed);
        for part in parts {
            dice = Self(dice.next() ^ part);
        }
        dice
    }

    /// A number that stands for these bytes.
    pub fn of_bytes(bytes: &[u8]) -> u64 {
        bytes.iter().fold(Self(0), |mut dice, byte| Self(dice.next() ^ u64::from(*byte))).next()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to 1, 1 excluded.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to `n`, `n` excluded; 0 where there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.part() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Whether something happens that does so this often.
    pub fn comes(&mut self, share: f64) -> bool {
        self.part() < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_numbers_and_another_use_others() {
        let roll = |parts: &[u64]| {
            let mut dice = Dice::of(7, parts);
            [0; 5].map(|_| dice.below(1_000))
        };
        assert_eq!(roll(&[1, 2]), roll(&[1, 2]));
        assert_ne!(roll(&[1, 2]), roll(&[2, 1]));
    }

    #[test]
    fn what_comes_in_three_of_ten_cases_does_so() {
        let mut dice = Dice::of(2, &[]);
        let came = (0..10_000).filter(|_| dice.comes(0.3)).count();
        assert!((2_850..3_150).contains(&came), "{came}");
    }
}
