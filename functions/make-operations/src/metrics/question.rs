//! What is asked: which days, whose, and which operations.

use jiff::{ToSpan, civil::Date};
use shared::{
    Result,
    http::{Call, Fields},
    sheet::Subject,
    usage::OperationType,
};

use crate::day;

/// The longest range, in days.
const LONGEST: i32 = 366;
/// The range unless one is stated, in days.
const USUAL: i32 = 30;

/// What is asked.
pub struct Question {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// Only this client.
    pub client: Option<Wanted>,
    operation_type: Option<OperationType>,
    scenario_id: Option<String>,
    /// Whether the equally long window before is told, too.
    pub compare: bool,
    /// In which form.
    pub format: Format,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageFormat)]
pub enum Format {
    /// All metrics.
    Json,
    /// A line for each scenario, type and day.
    Csv,
}

/// A client, as the caller names it.
pub enum Wanted {
    /// By id.
    Id(String),
    /// By slug.
    Slug(String),
}

impl Question {
    /// Reads the query string.
    pub fn read(call: &Call, today: Date) -> Result<Self> {
        let mut query = call.parameters();
        let client = client(&mut query);
        let range = range(&mut query, today);
        let operation_type = query.optional("operation_type");
        let scenario_id = query.optional("scenario_id");
        let compare = query.parsed("compare").unwrap_or(true);
        let format = query.or("format", Format::Json);
        query.build(|| {
            let (from, to) = range?;
            Some(Self { from, to, client, operation_type, scenario_id, compare, format: format? })
        })
    }

    /// Whether a cell of the range is asked for.
    pub fn wants(&self, subject: &Subject) -> bool {
        self.wants_type(subject.operation_type)
            && self.scenario_id.as_ref().is_none_or(|wanted| subject.by_id && subject.scenario == *wanted)
    }

    /// Whether a type of operation is asked for.
    pub fn wants_type(&self, operation_type: OperationType) -> bool {
        self.operation_type.is_none_or(|wanted| wanted == operation_type)
    }

    /// Whether totals by type cannot answer it.
    pub fn is_of_one_scenario(&self) -> bool {
        self.scenario_id.is_some()
    }

    /// The equally long window before.
    pub fn before(&self) -> (Date, Date) {
        (before(self.from, self.days()), before(self.from, 1))
    }

    /// The types of operation that are asked for.
    pub fn types(&self) -> Vec<OperationType> {
        self.operation_type.map_or(OperationType::ALL.into(), |one| vec![one])
    }

    /// How many days the range has.
    pub fn days(&self) -> i32 {
        days(self.from, self.to)
    }
}

fn client(query: &mut Fields) -> Option<Wanted> {
    match (query.optional("client_id"), query.optional("client_slug")) {
        (Some(_), Some(_)) => {
            query.fault("client_slug", "stands in place of client_id: give one of the two");
            None
        }
        (Some(id), None) => Some(Wanted::Id(id)),
        (None, slug) => slug.map(Wanted::Slug),
    }
}

/// The days that are asked for; `None` where a fault was noted.
fn range(query: &mut Fields, today: Date) -> Option<(Date, Date)> {
    let preset: Option<String> = query.optional("preset");
    let (from, to) = (date(query, "start_date"), date(query, "end_date"));
    let Some(preset) = preset else {
        let to = to.ok()?.unwrap_or(today);
        let from = from.ok()?.unwrap_or_else(|| before(to, USUAL - 1));
        return within(query, from, to);
    };
    if !matches!((&from, &to), (Ok(None), Ok(None))) {
        query.fault("preset", "stands in place of the dates: give one of the two");
        return None;
    }
    let back = match preset.as_str() {
        "24h" => 1,
        "7d" => 6,
        "30d" => 29,
        "90d" => 89,
        _ => {
            query.fault("preset", "must be 24h, 7d, 30d or 90d");
            return None;
        }
    };
    Some((before(today, back), today))
}

fn date(query: &mut Fields, name: &str) -> Result<Option<Date>, ()> {
    let Some(text) = query.optional::<String>(name) else {
        return Ok(None);
    };
    day::read(&text).map(Some).ok_or_else(|| query.fault(name, "must be a day as YYYY-MM-DD"))
}

fn within(query: &mut Fields, from: Date, to: Date) -> Option<(Date, Date)> {
    if from < day::FIRST {
        query.fault("start_date", "lies before 1970");
        return None;
    }
    if from > to {
        query.fault("start_date", "lies after end_date");
        return None;
    }
    if days(from, to) > LONGEST {
        query.fault("start_date", "lies too far back: at most 366 days at once");
        return None;
    }
    Some((from, to))
}

fn before(date: Date, days: i32) -> Date {
    date.saturating_sub(days.days())
}

fn days(from: Date, to: Date) -> i32 {
    i32::try_from(to.duration_since(from).as_hours() / 24).unwrap_or(i32::MAX).saturating_add(1)
}
