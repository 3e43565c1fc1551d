//! Writing an alert, and telling of it: both or none.

use jiff::Timestamp;
use shared::{
    Error, Result,
    alert::{Alert, Severity},
    event::{self, Content, Event, Origin},
    table::{Created, Table},
};

use crate::{advance::Change, alerts::AlertView};

/// Stores an alert in place of the one that was read, with the event that tells of it: in one transaction, so that it is
/// told exactly once wherever a function is killed. `false` where somebody else has changed the alert meanwhile.
pub async fn write(
    table: &Table,
    was: Option<&Alert>,
    alert: &Alert,
    change: Option<Change>,
    now: Timestamp,
) -> Result<bool> {
    let Some(change) = change else {
        return match was {
            Some(was) => table.replace(alert, "revision", was.revision).await,
            None => Ok(matches!(table.create(alert).await?, Created::New)),
        };
    };
    let event = event_of(alert, change, now)?;
    let writes = table.transact().create(&event);
    match was {
        Some(was) => writes.replace(alert, "revision", was.revision),
        None => writes.create(alert),
    }
    .send()
    .await
}

/// The event that tells of a change. Each revision of an alert has one at most.
fn event_of(alert: &Alert, change: Change, now: Timestamp) -> Result<Event> {
    let (tenant, ended) = (alert.tenant, change == Change::Resolved);
    let view = AlertView::from(alert.clone());
    let mut data =
        serde_json::to_value(&view).map_err(|cause| Error::internal("an alert does not serialize", cause))?;
    data["change"] = change.word().into();
    let parts: [&[u8]; 4] =
        [b"alert", alert.id.as_bytes(), &alert.opened_at.as_millisecond().to_be_bytes(), &alert.revision.to_be_bytes()];
    let prefix = match change {
        Change::Opened | Change::Escalated => "",
        Change::Resolved => "Over: ",
    };
    let severity = match alert.breach.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let about = if alert.subject.scenario.is_some() { "Scenario" } else { "For" };
    let mut facts = vec![
        (about.to_owned(), alert.name.clone()),
        ("Kind".into(), alert.kind.word().replace('_', " ")),
        ("Severity".into(), severity.into()),
        ("Since".into(), format!("{:.0}", alert.opened_at)),
    ];
    facts.extend(alert.resolved_at.filter(|_| ended).map(|at| ("Ended".into(), format!("{at:.0}"))));
    Ok(Event {
        tenant,
        id: event::identity(tenant, &parts),
        event_type: if ended { "alert.resolved" } else { "alert.opened" }.into(),
        trace: alert.trace,
        accepted_at: now,
        occurred_at: None,
        to: None,
        origin: Origin::Live,
        content: Content::Alert {
            alert: alert.id,
            title: format!("{prefix}{}: {}", alert.name, alert.breach.summary),
            facts,
            data: data.to_string(),
        },
    })
}
