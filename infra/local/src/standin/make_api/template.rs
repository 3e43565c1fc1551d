//! What Make's objects look like before anything is said of them. A word that is not here is none of theirs.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use super::Object;

/// Words of the stand-in's own, which an answer never shows.
pub(super) const HIDDEN: [&str; 6] =
    ["timezone", "drainPerSecond", "logBounds", "logPage", "logRepeats", "countersAsText"];

/// Fields that are told one by one: the rest of the object stays.
const MERGED: [&str; 2] = ["license", "data"];

fn object(json: Value) -> Object {
    match json {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

pub(super) fn organization(id: u64, zone: &str) -> Object {
    let today = Timestamp::now().to_zoned(TimeZone::UTC);
    let reset = today.first_of_month().unwrap_or(today);
    let next = reset.saturating_add(1.month());
    let at = |day: &jiff::Zoned| format!("{}T00:00:00.000Z", day.date());
    object(json!({
        "id": id, "name": format!("Organization {id}"), "timezoneId": 113, "timezone": "UTC", "countryId": 1,
        "zone": zone, "serviceName": "core", "productName": "Core", "externalId": "", "deleted": false,
        "isPaused": false, "autoPurchasingActivated": false, "lastReset": at(&reset), "nextReset": at(&next),
        "operations": "0", "transfer": "0", "operationsExt": "0", "transferExt": "0",
        "unusedOperations": "10000", "unusedTransfer": "5368709120", "activeApps": 1, "features": {},
        "license": {
            "operations": 10_000, "transfer": 5_368_709_120_u64, "apiLimit": 60, "interval": 1, "retention": 30,
            "webhookLogRetentionDays": 3, "dlqStorage": 1_048_576, "executionTime": 2_400, "teams": 1, "users": 1,
            "dslimit": 10, "dsslimit": 10_485_760, "fslimit": 104_857_600, "iolimit": 10_000, "gracePeriod": 0,
            "productManagement": "self", "fulltext": false,
        },
    }))
}

pub(super) fn team(id: u64) -> Object {
    object(json!({ "id": id, "name": format!("Team {id}"), "organizationId": null }))
}

pub(super) fn scenario(id: u64) -> Object {
    let user = json!({ "id": 11, "name": "Ada Brightline", "email": "ada@brightline.example" });
    object(json!({
        "id": id, "name": format!("Scenario {id}"), "teamId": null, "hookId": null, "deviceId": null,
        "deviceScope": null, "folderId": null, "description": "", "concept": false, "isActive": true,
        "isinvalid": false, "islinked": true, "islocked": false, "isPaused": false, "iswaiting": false,
        "dlqCount": 0, "operations": 0, "transfer": 0, "nextExec": null,
        "usedPackages": ["gateway", "http", "json"], "scheduling": { "type": "immediately" },
        "created": "2026-01-22T06:41:56.692Z", "lastEdit": "2026-10-13T13:27:45.109Z",
        "createdByUser": user, "updatedByUser": user, "customProperties": {},
        "logBounds": null, "logPage": null, "logRepeats": false, "countersAsText": false,
    }))
}

pub(super) fn hook(id: u64) -> Object {
    object(json!({
        "id": id, "name": format!("Webhook {id}"), "teamId": null, "udid": uuid::Uuid::new_v4().simple().to_string(),
        "type": "web", "packageName": null, "theme": "#c73a63", "editable": true, "queueCount": 0,
        "queueLimit": 667, "drainPerSecond": null, "enabled": true, "gone": false, "typeName": "gateway-webhook",
        "data": { "headers": false, "method": false, "stringify": false }, "scenarioId": null, "url": null,
    }))
}

pub(super) fn dlq(reason: &str) -> Object {
    let created = format!("{:.3}", Timestamp::now());
    object(json!({
        "id": uuid::Uuid::new_v4().simple().to_string(), "reason": reason, "created": created, "size": 5,
        "resolved": false, "retry": true, "attempts": 1,
    }))
}

/// Changes an object by what is said of it.
///
/// # Errors
/// A word that the object does not have.
pub(super) fn apply(object: &mut Object, what: &str, said: Object) -> Result<(), String> {
    if let Some(unknown) = said.keys().find(|name| !object.contains_key(*name)) {
        return Err(format!("{what} have no `{unknown}`"));
    }
    for (name, value) in said {
        match (object.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(more)) if MERGED.contains(&name.as_str()) => known.extend(more),
            (_, value) => drop(object.insert(name, value)),
        }
    }
    Ok(())
}
