//! Changing whose a scenario is, and the days that are folded otherwise by that.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date};
use shared::{
    Result, key,
    scenario::{Mapped, Scenario},
    table::Table,
};

use crate::{day::BACK, ledger};

/// So many days are read in one request, and so many noted at the same time.
const TOGETHER: usize = 100;
const ABREAST: usize = 16;

/// What people say of a scenario.
pub struct Plan {
    /// What it is, by time.
    pub mapping: Vec<Mapped>,
    /// What it is for, in words.
    pub description: Option<String>,
    /// Operations that there may be in a day.
    pub daily_limit: Option<u64>,
    /// It should run once in so many seconds at least.
    pub expected_every_s: Option<u32>,
}

impl Plan {
    /// What was said of it so far.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            mapping: scenario.mapping.clone(),
            description: scenario.description.clone(),
            daily_limit: scenario.daily_limit,
            expected_every_s: scenario.expected_every_s,
        }
    }
}

/// A mapping with one more statement, which holds from its day on. What was before that day stays as it was; before the
/// first statement there is nothing, so the first one holds for all days.
pub fn stating(mapping: &[Mapped], stated: Mapped) -> Vec<Mapped> {
    let earlier = |mapped: &&Mapped| stated.from.is_some_and(|day| mapped.from.is_none_or(|from| from < day));
    let mut mapping: Vec<Mapped> = mapping.iter().filter(earlier).cloned().collect();
    let from = stated.from.filter(|_| !mapping.is_empty());
    mapping.push(Mapped { from, ..stated });
    mapping
}

/// Writes a plan, over a consistent table, unless the scenario has changed since it was read: then nothing. Days are noted
/// before: whoever is killed between has noted them in vain, and whoever does it again does the same.
pub async fn write(
    table: &Table,
    seen: &Scenario,
    plan: Plan,
    today: Date,
    now: Timestamp,
) -> Result<Option<Scenario>> {
    let days = moved(table, seen, &plan.mapping, today).await?;
    stream::iter(days)
        .map(|date| ledger::note(table, seen.tenant, date, now))
        .buffer_unordered(ABREAST)
        .try_collect::<()>()
        .await?;
    table
        .change(key::scenario(seen.tenant, &seen.id))
        .set("mapping", plan.mapping)
        .set_or_remove("description", plan.description)
        .set_or_remove("daily_limit", plan.daily_limit)
        .set_or_remove("expected_every_s", plan.expected_every_s)
        .add("revision", 1)
        .when_there()
        .when_or_missing("revision", seen.revision)
        .send()
        .await
}

/// The days with runs of the scenario that are somebody else's, or of another kind, by the new mapping.
async fn moved(table: &Table, seen: &Scenario, mapping: &[Mapped], today: Date) -> Result<Vec<Date>> {
    let meant = Scenario { mapping: mapping.into(), ..seen.clone() };
    // A run may be of tomorrow: clocks differ.
    let all = (-BACK..=1).map(|n| today.saturating_add(n.days()));
    let differs = |date: &Date| !says_the_same(&seen.on(*date), &meant.on(*date));
    let keys: Vec<_> = all.filter(differs).map(|date| key::run_day(seen.tenant, date, &seen.id)).collect();
    let mut days = Vec::new();
    for some in keys.chunks(TOGETHER) {
        days.extend(table.find_all(some).await?.into_iter().map(|day| day.date));
    }
    days.sort_unstable();
    Ok(days)
}

fn says_the_same(one: &Mapped, other: &Mapped) -> bool {
    let said = |mapped: &Mapped| Mapped { from: None, ..mapped.clone() };
    said(one) == said(other)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use shared::{id::ClientId, scenario::Owner, usage::OperationType};

    use super::*;

    fn mapped(from: Option<Date>, owner: Owner) -> Mapped {
        Mapped { from, owner, operation_type: OperationType::Call, seconds_saved: 0 }
    }

    #[test]
    fn a_statement_holds_from_its_day_on_and_leaves_what_was_before() {
        let (inn, spa) = (Owner::Client(ClientId::new()), Owner::Client(ClientId::new()));
        let (third, ninth) = (date(2026, 11, 3), date(2026, 11, 9));

        let first = stating(&[], mapped(Some(ninth), inn));
        assert_eq!(first, [mapped(None, inn)], "the first one holds for all days");
        let second = stating(&first, mapped(Some(ninth), spa));
        assert_eq!(second, [mapped(None, inn), mapped(Some(ninth), spa)]);
        assert_eq!(stating(&second, mapped(Some(ninth), Owner::Company))[1].owner, Owner::Company);
        assert_eq!(stating(&second, mapped(Some(third), spa)), [mapped(None, inn), mapped(Some(third), spa)]);
        assert_eq!(stating(&second, mapped(None, spa)), [mapped(None, spa)]);
    }
}
