//! How the latest changes of a table came in: whether its webhooks still tell of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Changes are counted in steps of so many seconds.
const STEP: i64 = 600;
/// So many of them say something, however long they took.
const ENOUGH: u64 = 5;
/// That webhooks are lost is judged by an hour.
const HOUR: i64 = 3_600 / STEP;
/// One in so many that came in all the same does not change that.
const NEARLY_NONE: u64 = 20;

/// The latest changes of a table: those of the last hour in which there were any, and the last five at least.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lately(Vec<Step>);

/// Ten minutes, counted from 1970; how many changes of them came in by themselves, and how many did not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Step(i64, u64, u64);

impl Lately {
    /// Counts a change.
    pub fn count(&mut self, changed_at: Timestamp, came_in: bool) {
        let (live, repaired) = (u64::from(came_in), u64::from(!came_in));
        self.add(Step(changed_at.as_second().div_euclid(STEP), live, repaired));
    }

    /// Counts what another one has, and forgets what is no longer late.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|step| self.add(*step));
        let forgotten = self.0.len() - self.latest(HOUR).len();
        self.0.drain(..forgotten);
    }

    /// How many came in by themselves, and how many did not.
    pub fn both(&self) -> (u64, u64) {
        both(&self.0)
    }

    /// Since when nearly nothing comes in by itself, if that is so: of the changes of an hour, and of five at least, one
    /// in twenty at most.
    pub fn missed_since(&self) -> Option<Timestamp> {
        let latest = self.latest(HOUR);
        let (live, repaired) = both(latest);
        let missed = live + repaired >= ENOUGH && live * NEARLY_NONE <= live + repaired;
        let first = latest.first().filter(|_| missed)?;
        Timestamp::from_second(first.0 * STEP).ok()
    }

    /// Whether changes come in by themselves again: half of those of the last ten minutes, and of the last five.
    pub fn is_back(&self) -> bool {
        let (live, repaired) = both(self.latest(0));
        live + repaired >= ENOUGH && live >= repaired
    }

    /// The last steps over so many, and as many before as it takes to have enough.
    fn latest(&self, span: i64) -> &[Step] {
        let last = self.0.last().map_or(0, |step| step.0);
        let (mut n, mut begin) = (0, self.0.len());
        for (at, step) in self.0.iter().enumerate().rev() {
            if n >= ENOUGH && step.0 < last - span {
                break;
            }
            (n, begin) = (n + step.1 + step.2, at);
        }
        &self.0[begin..]
    }

    fn add(&mut self, Step(at, live, repaired): Step) {
        match self.0.binary_search_by_key(&at, |step| step.0) {
            Ok(there) => {
                self.0[there].1 += live;
                self.0[there].2 += repaired;
            }
            Err(place) => self.0.insert(place, Step(at, live, repaired)),
        }
    }
}

fn both(steps: &[Step]) -> (u64, u64) {
    steps.iter().fold((0, 0), |(live, repaired), step| (live + step.1, repaired + step.2))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    /// Changes at these minutes; those that came in by themselves.
    fn after(changes: &[(i64, bool)]) -> Lately {
        let mut lately = Lately::default();
        for (minute, came_in) in changes {
            let mut one = Lately::default();
            one.count(at(*minute), *came_in);
            lately.merge(&one);
        }
        lately
    }

    fn at(minute: i64) -> Timestamp {
        "2026-12-01T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    #[test]
    fn five_that_nobody_told_of_are_missed_and_four_are_not() {
        let lost = |n| after(&(0..n).map(|minute| (minute, false)).collect::<Vec<_>>());
        assert_eq!(lost(4).missed_since(), None);
        assert_eq!(lost(5).missed_since(), Some(at(0)));
        assert!(!lost(5).is_back());
    }

    #[test]
    fn who_changes_little_is_judged_by_the_last_five_however_long_they_took() {
        let mut days: Vec<_> = (0..9).map(|day| (day * 1_440, day < 5)).collect();
        assert_eq!(after(&days).missed_since(), None, "the last four");
        days.push((9 * 1_440, false));
        assert_eq!(after(&days).missed_since(), Some(at(5 * 1_440)));
    }

    #[test]
    fn one_that_came_in_is_much_of_few_and_nearly_nothing_of_many() {
        let with_one = |n| after(&(0..n).map(|minute| (minute % 60, minute == 7)).collect::<Vec<_>>());
        assert_eq!(with_one(19).missed_since(), None);
        assert_eq!(with_one(20).missed_since(), Some(at(0)));
    }

    #[test]
    fn a_burst_that_is_lost_among_many_that_came_in_is_not_the_end_of_them() {
        let mut changes: Vec<_> = (0..50).map(|minute| (minute, true)).collect();
        changes.extend([(51, false); 50]);
        assert_eq!(after(&changes).missed_since(), None);
    }

    #[test]
    fn they_are_back_as_soon_as_half_of_the_last_five_come_in() {
        let mut changes: Vec<_> = (0..50).map(|minute| (minute, false)).collect();
        changes.extend([(60, true), (61, true), (62, true), (63, true)]);
        assert!(!after(&changes).is_back(), "four are too few, and before them there are fifty");
        changes.push((64, true));
        assert!(after(&changes).is_back());
    }

    #[test]
    fn it_stays_small() {
        let lately = after(&(0..10_000).map(|minute| (minute, minute % 3 == 0)).collect::<Vec<_>>());
        assert!(lately.0.len() <= 7, "{lately:?}");
        assert_eq!(lately.both().0 + lately.both().1, 70);
    }
}
