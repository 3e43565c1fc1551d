//! The scenarios of an owner that have a limit of operations for each day.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use jiff::{ToSpan, civil::Date};
use serde::Serialize;
use shared::{
    Result,
    id::TenantId,
    key,
    scenario::{Owner, Scenario},
    table::Table,
};
use utoipa::ToSchema;

use crate::{ahead::Rest, model::Days};

/// So many days before today are looked at: four weeks.
const BACK: i64 = 28;
/// Rows of one request (quota of `BatchGetItem`).
const TOGETHER: usize = 100;
/// So many are told; an answer may have 6 MB (Lambda quotas), and nobody reads more.
const MOST: usize = 500;

/// A scenario with a limit of operations for each day.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageScenarioLimit)]
pub struct ScenarioLimit {
    scenario_id: String,
    scenario_name: String,
    /// Operations that there may be in a day.
    operations_limit: u64,
    /// Operations of today so far.
    used_today: u64,
    /// The most that is expected of a day until the end of the month; null where there are fewer than 14 days.
    #[schema(example = 812)]
    expected_most: Option<u64>,
    /// The first day of the month on which it is expected to reach its limit; null where on none.
    #[schema(value_type = Option<String>, format = Date)]
    reached_on: Option<Date>,
}

impl ScenarioLimit {
    /// Those that reach it come first, by day; of the others those that come nearest.
    fn distance(&self) -> impl Ord + use<> {
        let most = u128::from(self.used_today.max(self.expected_most.unwrap_or_default()));
        let share = most * 1_000_000 / u128::from(self.operations_limit.max(1));
        (self.reached_on.is_none(), self.reached_on, Reverse(share), self.scenario_id.clone())
    }
}

/// The limits of an owner's scenarios that had any usage in the last four weeks: of those that are mapped as people have set
/// them, of others as they were stated last; so also of those that are somebody else's by now. The nearest first.
pub async fn limits(table: &Table, tenant: TenantId, owner: Owner, rest: &Rest) -> Result<Vec<ScenarioLimit>> {
    let from = rest.today.saturating_sub(BACK.days());
    let sheets = table.list_all(&key::sheets(tenant, owner, from, rest.today)).await?;
    let mut used: BTreeMap<&str, BTreeMap<Date, u64>> = BTreeMap::new();
    let mut stated: HashMap<&str, (&str, Option<u64>)> = HashMap::new();
    for sheet in &sheets {
        for (subject, cell) in sheet.cells.iter().filter(|(subject, _)| subject.by_id) {
            *used.entry(&subject.scenario).or_default().entry(sheet.date).or_default() += cell.operations;
            if let Some(told) = &cell.stated {
                stated.insert(&subject.scenario, (&told.name, told.limit));
            }
        }
    }
    let known = known(table, tenant, used.keys().copied().collect()).await?;
    let mut limits = Vec::new();
    for (id, used) in used {
        let (known, stated) = (known.get(id).filter(|known| known.is_known_to(owner, rest.today)), stated.get(id));
        let limit = known.and_then(|known| known.daily_limit).or(stated.and_then(|(_, limit)| *limit));
        let Some(operations_limit) = limit.filter(|limit| *limit > 0) else { continue };
        let name = known.map(|known| known.name.as_str()).or(stated.map(|(name, _)| *name));
        let used_today = used.get(&rest.today).copied().unwrap_or_default();
        let expected = expected(&used, from, rest);
        let days = expected.iter().flatten().filter(|(date, _)| *date >= rest.today);
        let reached_on = days.clone().find(|(_, n)| *n >= operations_limit).map(|(date, _)| *date);
        limits.push(ScenarioLimit {
            scenario_id: id.into(),
            scenario_name: name.unwrap_or(id).into(),
            operations_limit,
            used_today,
            expected_most: days.map(|(_, n)| *n).max(),
            reached_on: if used_today >= operations_limit { Some(rest.today) } else { reached_on },
        });
    }
    limits.sort_by_cached_key(ScenarioLimit::distance);
    limits.truncate(MOST);
    Ok(limits)
}

fn expected(used: &BTreeMap<Date, u64>, from: Date, rest: &Rest) -> Option<Vec<(Date, u64)>> {
    let days = from.series(1.day()).take_while(|date| *date < rest.open);
    let values = days.map(|date| used.get(&date).copied().unwrap_or_default() as f64).collect();
    let weekday = usize::try_from(from.weekday().to_monday_zero_offset()).unwrap_or_default();
    let fit = Days { weekday, values }.fit()?;
    Some(rest.to_come().map(|(day, date)| (date, fit.expected(day).round() as u64)).collect())
}

/// Scenarios by their ids: each of a few, or all that there are, which costs less than each of many.
async fn known(table: &Table, tenant: TenantId, ids: Vec<&str>) -> Result<HashMap<String, Scenario>> {
    let known = if ids.len() <= TOGETHER {
        let keys: Vec<_> = ids.into_iter().map(|id| key::scenario(tenant, id)).collect();
        table.find_all(&keys).await?
    } else {
        table.list_all(&key::scenarios(tenant)).await?
    };
    Ok(known.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect())
}
