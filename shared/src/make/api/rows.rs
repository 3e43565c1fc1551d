//! What Make.com shows. Counters come as numbers or as text, names in mixed casing, and columns are left out: what is
//! not told is not known.

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
}

impl Scenario {
    /// What is asked for: the default is less.
    pub const COLUMNS: [&'static str; 7] = ["id", "name", "isActive", "isPaused", "isinvalid", "islinked", "dlqCount"];
}

/// A whole number, as a number or as text.
fn count<'de, D: Deserializer<'de>>(given: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(given)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
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
    fn a_sparse_scenario_says_less_and_nothing_wrong() {
        let scenario: Scenario = serde_json::from_value(json!({ "id": 1, "isinvalid": true })).unwrap();
        assert_eq!((scenario.is_invalid, scenario.is_active, scenario.dlq_count), (Some(true), None, None));
    }
}
