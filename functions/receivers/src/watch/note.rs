//! What a look says of the account itself: when Make.com answered last, whether it takes the token, when to look again.

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result, key,
    make::{Account, api::Failure},
    notice,
    receiver::Untold,
    table::{Change, Table},
};

use super::{Looked, Outcome, ask::Heard};
use crate::rules::INTERVAL;

/// The longest between two looks while Make.com is in trouble; and while it refuses the token, at first and then.
const TROUBLED: SignedDuration = SignedDuration::from_mins(5);
const REFUSED_AT_FIRST: SignedDuration = SignedDuration::from_mins(15);
const REFUSED: SignedDuration = SignedDuration::from_hours(1);

/// Notes how a look went. What people have changed of the account meanwhile stays.
pub async fn looked(
    table: &Table,
    account: &Account,
    heard: &Heard,
    requests: u32,
    next_in: SignedDuration,
    now: Timestamp,
) -> Result<Looked> {
    // Those of the look before, which may have been killed before it gave them.
    tell(table, account, &account.untold).await?;
    let (refused_since, untold) = standing(account, heard, now);
    let next_in = heard.failure.as_ref().map_or(next_in, |failure| unanswered(account, failure));
    let change = table
        .change(key::make_account(account.tenant))
        .set("requests", requests)
        .set("teams", &heard.teams)
        .set("searched", heard.searched)
        .set_or_remove("searched_at", heard.searched_at)
        .set_or_remove("refused_since", refused_since)
        .set("untold", &untold)
        .when("revision", account.revision);
    let change = match &heard.failure {
        None => {
            let change = if heard.has_asked() { change.set("answered_at", now) } else { change };
            change.set("failures", 0).remove("failing_since").remove("failure")
        }
        Some(failure) => {
            tracing::warn!(tenant.id = %account.tenant, error = ?failure, "Make.com did not say how its webhooks are: {failure}");
            change
                .set("failures", account.failures + 1)
                .set("failing_since", account.failing_since.unwrap_or(now))
                .set("failure", failure.to_string())
        }
    };
    if finish(change, next_in, now).send().await?.is_some() {
        tell(table, account, &untold).await?;
    }
    let outcome = match &heard.failure {
        None => Outcome::Answered,
        Some(Failure::Ours(_)) => Outcome::Failed,
        Some(_) => Outcome::Unanswered,
    };
    Ok(Looked { outcome, next_at: now + next_in })
}

/// The claim has put the next look where it usually is; another time is written anew.
fn finish(change: Change<'_, Account>, next_in: SignedDuration, now: Timestamp) -> Change<'_, Account> {
    if next_in == INTERVAL {
        return change;
    }
    let next = now + next_in;
    change.set("next_at", next).index(Some(key::watched(next)))
}

/// Bad weather passes; a token that is refused wants a person, and is tried more rarely.
fn unanswered(account: &Account, failure: &Failure) -> SignedDuration {
    match failure {
        Failure::Refused { .. } | Failure::Missing => match account.refused_since {
            None => REFUSED_AT_FIRST,
            Some(_) => REFUSED,
        },
        Failure::Busy { wait } => SignedDuration::try_from(*wait).unwrap_or(INTERVAL).max(INTERVAL),
        Failure::Down(_) | Failure::Odd(_) | Failure::Ours(_) => match account.failures {
            0 | 1 => INTERVAL,
            2 => INTERVAL * 2,
            _ => TROUBLED,
        },
    }
}

/// Since when the token is refused, and what there is to tell of that. Trouble of another kind does not end it.
fn standing(account: &Account, heard: &Heard, now: Timestamp) -> (Option<Timestamp>, Vec<Untold>) {
    let tell = |name: &str, detail| vec![Untold { name: name.into(), detail, at: now }];
    match (&heard.failure, account.refused_since) {
        (Some(failure @ (Failure::Refused { .. } | Failure::Missing)), None) => {
            let detail = format!(
                "the token {} for Make.com is of no use: {failure}; webhooks are not watched until another one is given",
                account.fingerprint
            );
            (Some(now), tell("make_token_refused", detail))
        }
        (None, Some(_)) if heard.has_asked() => {
            let detail = "Make.com takes the token again; webhooks are watched".into();
            (None, tell("make_token_refused_ended", detail))
        }
        (_, since) => (since, Vec::new()),
    }
}

async fn tell(table: &Table, account: &Account, untold: &[Untold]) -> Result<()> {
    for told in untold {
        notice::give(table, account.tenant, &told.name, "make".into(), told.detail.clone(), told.at).await?;
    }
    Ok(())
}
