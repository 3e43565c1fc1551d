//! What Make.com shows. Counters come as numbers or as text, names in mixed casing, and columns are left out: what is
//! not told is not known.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An organisation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it has bought. A token sees it in the organisation's own zone only.
    pub license: Option<License>,
}

/// What an organisation has bought.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct License {
    /// Requests a minute that Make.com takes from the whole organisation.
    #[serde(default, deserialize_with = "count")]
    pub api_limit: Option<u64>,
}

/// A team.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Of which organisation.
    #[serde(default, deserialize_with = "count")]
    pub organization_id: Option<u64>,
}

/// A webhook. It belongs to one scenario at most.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where it takes requests.
    pub url: Option<String>,
    /// Requests that wait in its queue.
    #[serde(default, deserialize_with = "count")]
    pub queue_count: Option<u64>,
    /// The most that its queue holds.
    #[serde(default, deserialize_with = "count")]
    pub queue_limit: Option<u64>,
    /// Whether it takes requests.
    #[serde(default, deserialize_with = "flag")]
    pub enabled: Option<bool>,
    /// Whether it has been without a scenario for more than five days: then it answers 410.
    #[serde(default, deserialize_with = "flag")]
    pub gone: Option<bool>,
    /// The scenario that it starts.
    #[serde(default, deserialize_with = "count")]
    pub scenario_id: Option<u64>,
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether it is on.
    #[serde(default, deserialize_with = "flag")]
    pub is_active: Option<bool>,
    /// Whether the subscription keeps it from running.
    #[serde(default, deserialize_with = "flag")]
    pub is_paused: Option<bool>,
    /// Whether an error has stopped it.
    #[serde(default, rename = "isinvalid", alias = "isInvalid", deserialize_with = "flag")]
    pub is_invalid: Option<bool>,
    /// Whether its modules are linked.
    #[serde(default, rename = "islinked", alias = "isLinked", deserialize_with = "flag")]
    pub is_linked: Option<bool>,
    /// Runs that ended incomplete and wait for somebody.
    #[serde(default, deserialize_with = "count")]
    pub dlq_count: Option<u64>,
    /// Its team.
    #[serde(default, deserialize_with = "count")]
    pub team_id: Option<u64>,
    /// What starts it.
    #[serde(default, deserialize_with = "scheduling")]
    pub scheduling: Option<Scheduling>,
}

/// What starts a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Scheduling {
    /// `immediately`, `indefinitely`, `once`, `daily`, `weekly`, `monthly`, `yearly` or `on-demand`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds between its runs, where it runs indefinitely.
    #[serde(default, deserialize_with = "count")]
    pub interval: Option<u64>,
}

impl Scenario {
    /// What is asked for: the default is less.
    pub const COLUMNS: [&'static str; 9] =
        ["id", "name", "isActive", "isPaused", "isinvalid", "islinked", "dlqCount", "teamId", "scheduling"];
}

/// What a scenario used on a day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The day, in the organisation's time zone.
    pub date: Date,
    /// Operations.
    #[serde(default, deserialize_with = "count")]
    pub operations: Option<u64>,
    /// Hundredths of a credit.
    #[serde(default, deserialize_with = "count")]
    pub centicredits: Option<u64>,
    /// Bytes.
    #[serde(default, deserialize_with = "count")]
    pub data_transfer: Option<u64>,
}

/// A row of a scenario's log. Not every one is a run: changes of the scenario stand there, too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRow {
    /// Its place, by which the log is read on.
    #[serde(default, deserialize_with = "text")]
    pub imt_id: Option<String>,
    /// The run's id.
    #[serde(default, deserialize_with = "text")]
    pub id: Option<String>,
    /// When.
    pub timestamp: Timestamp,
    /// 0 pending, 1 success, 2 success with warnings, 3 failed; none for what is no run. A row that says it in another way
    /// is of another form.
    #[serde(default, deserialize_with = "status")]
    pub status: Option<u64>,
    /// Milliseconds.
    #[serde(default, deserialize_with = "count")]
    pub duration: Option<u64>,
    /// Operations.
    #[serde(default, deserialize_with = "count")]
    pub operations: Option<u64>,
    /// Hundredths of a credit.
    #[serde(default, deserialize_with = "count")]
    pub centicredits: Option<u64>,
    /// Bytes.
    #[serde(default, deserialize_with = "count")]
    pub transfer: Option<u64>,
}

/// What starts a scenario: as such, or as JSON in a text.
fn scheduling<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Scheduling>, D::Error> {
    let told = match Value::deserialize(given)? {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
        told => told,
    };
    Ok(serde_json::from_value(told).ok())
}

/// A whole number, as a number or as text.
fn count<'de, D: Deserializer<'de>>(given: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(given)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A text, as such or as a number.
fn text<'de, D: Deserializer<'de>>(given: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(given)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// How a run stands. What is said and not understood is not the same as nothing.
fn status<'de, D: Deserializer<'de>>(given: D) -> Result<Option<u64>, D::Error> {
    let told = Value::deserialize(given)?;
    if told.is_null() {
        return Ok(None);
    }
    match count(told) {
        Ok(Some(status)) => Ok(Some(status)),
        _ => Err(serde::de::Error::custom("a status is a number")),
    }
}

/// Yes or no, as such, as a number or as text.
fn flag<'de, D: Deserializer<'de>>(given: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(given)? {
        Value::Bool(told) => Some(told),
        Value::Number(number) => number.as_u64().map(|number| number != 0),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_webhook_is_read_in_every_form() {
        let hook: Hook = serde_json::from_value(json!({
            "id": 222_895, "name": "Bookings", "teamId": 18, "udid": "x7k2m9", "type": "web", "queueCount": "12",
            "queueLimit": 667, "enabled": 1, "gone": false, "data": { "ip": "" }, "scenarioId": null, "url": null,
        }))
        .unwrap();
        assert_eq!((hook.queue_count, hook.queue_limit), (Some(12), Some(667)));
        assert_eq!((hook.enabled, hook.gone, hook.scenario_id), (Some(true), Some(false), None));
    }

    #[test]
    fn a_row_of_a_log_counts_in_numbers_or_in_text() {
        let row: LogRow = serde_json::from_value(json!({
            "imtId": "1795230184497_scenario.418339.auto.da51", "id": "da51", "type": "auto", "status": "1",
            "duration": 19_979, "operations": "10", "centicredits": 1_000, "transfer": "3942", "authorId": null,
            "timestamp": "2026-11-20T04:35:44.497Z",
        }))
        .unwrap();
        assert_eq!((row.status, row.operations, row.centicredits), (Some(1), Some(10), Some(1_000)));
        assert_eq!((row.duration, row.transfer), (Some(19_979), Some(3_942)));
    }

    #[test]
    fn a_row_of_a_log_that_says_how_it_ended_in_other_words_is_of_another_form() {
        let row = |status| json!({ "imtId": 7, "id": 8, "status": status, "timestamp": "2026-11-20T04:35:44.497Z" });
        let read: LogRow = serde_json::from_value(row(json!(null))).unwrap();
        assert_eq!((read.status, read.id.as_deref(), read.imt_id.as_deref()), (None, Some("8"), Some("7")));
        for other in [json!("success"), json!(-1), json!({})] {
            assert!(serde_json::from_value::<LogRow>(row(other)).is_err());
        }
    }

    #[test]
    fn what_starts_a_scenario_is_read_in_both_forms() {
        let read =
            |scheduling| -> Scenario { serde_json::from_value(json!({ "id": 1, "scheduling": scheduling })).unwrap() };
        let every = Some(Scheduling { kind: "indefinitely".into(), interval: Some(900) });
        assert_eq!(read(json!({ "type": "indefinitely", "interval": 900 })).scheduling, every);
        assert_eq!(read(json!(r#"{"type":"indefinitely","interval":"900"}"#)).scheduling, every);
        assert_eq!(read(json!("whenever")).scheduling, None);
        assert_eq!(read(json!({ "type": "immediately" })).scheduling.unwrap().interval, None);
    }

    #[test]
    fn a_sparse_scenario_says_less_and_nothing_wrong() {
        let scenario: Scenario = serde_json::from_value(json!({ "id": 1, "isinvalid": true })).unwrap();
        assert_eq!((scenario.is_invalid, scenario.is_active, scenario.dlq_count), (Some(true), None, None));
    }
}
