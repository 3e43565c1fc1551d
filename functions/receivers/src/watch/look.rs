//! One look at the account of one tenant: what stands behind each of its endpoints, and what follows for it.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Error, Result,
    endpoint::Endpoint,
    id::EndpointId,
    key,
    make::Account,
    receiver::{Fill, Hook, Receiver},
    secrets::Keyring,
};

use super::{
    Deps, Looked, Outcome,
    ask::{self, Heard},
    note,
};
use crate::{
    address::Address,
    rules::{self, INTERVAL, Seen},
    settle::{known, release, release_all, settle},
};

/// An endpoint, and what is known of the webhook behind it.
pub struct Behind {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The address of its webhook, where it is one of Make.com.
    pub address: Option<Address>,
    /// What tells this address in this account from every other.
    pub mark: String,
    /// What was written down at the last look, perhaps of another address.
    pub row: Option<Receiver>,
}

impl Behind {
    /// What is known of this very address.
    pub fn known(&self) -> Option<&Receiver> {
        self.row.as_ref().filter(|row| row.address == self.mark)
    }

    /// The same, to be judged against: of another address only what was done to the endpoint is remembered.
    fn before(&self, now: Timestamp) -> Receiver {
        let Endpoint { tenant, id, .. } = self.endpoint;
        match &self.row {
            Some(row) if row.address == self.mark => row.clone(),
            Some(row) => Receiver {
                address: self.mark.clone(),
                team: None,
                hook: None,
                scenario: None,
                incomplete: None,
                incomplete_known: None,
                ..row.clone()
            },
            None => Receiver::unseen(tenant, id, self.mark.clone(), now),
        }
    }
}

/// Looks at an account that nobody else is looking at. Where there is no keyring, or the token does not open, nobody can be
/// asked; what is held all the same is held no longer than where Make.com does not answer.
pub async fn at(deps: &Deps, keyring: Option<&Keyring>, account: &Account, now: Timestamp) -> Result<Looked> {
    if account.ended_at.is_some() {
        return end(deps, account, now).await;
    }
    let keyring = keyring.ok_or_else(|| Error::unavailable("secrets", "the keyring could not be read"));
    let asking = keyring.and_then(|keyring| Ok((keyring, account.caller(keyring)?)));
    let (keyring, caller) = match asking {
        Ok(asking) => asking,
        Err(trouble) => {
            unasked(deps, account, now).await?;
            return Err(trouble);
        }
    };
    let (behind, left) = behind(deps, account, keyring).await?;
    for endpoint in left {
        deps.table.delete(key::receiver(account.tenant, endpoint)).await?;
    }
    let heard = ask::all(&deps.api, &caller, &deps.egress, account, &behind, now).await;

    let mut next_in = INTERVAL;
    for behind in &behind {
        next_in = next_in.min(one(deps, behind, &heard, now).await?);
    }
    note::looked(&deps.table, account, &heard, caller.asked(), next_in, now).await
}

/// What follows for one endpoint, and in what time it should be looked at again.
async fn one(deps: &Deps, behind: &Behind, heard: &Heard, now: Timestamp) -> Result<SignedDuration> {
    let (endpoint, reach) = (&behind.endpoint, deps.reach());
    let Some(address) = &behind.address else {
        release(reach, endpoint, behind.row.as_ref(), now).await?;
        return Ok(INTERVAL);
    };
    let before = behind.before(now);
    if let Some(seen) = heard.found(address).or_else(|| absent(behind, heard)) {
        let after = rules::judge(&endpoint.name, &before, seen, now);
        let next_in = rules::next_look(&before, &after);
        settle(reach, endpoint, &before, after, now).await?;
        return Ok(next_in);
    }
    // Nobody could say. What is known is believed for a while.
    // A team that is hidden is not asked for ever: its webhook may be found elsewhere.
    let hidden = before.team.is_some_and(|team| heard.is_hidden(team));
    if before.is_stale(now) && (before.holds() || before.fill != Fill::Low || hidden) {
        let mut after = rules::forget(&endpoint.name, &before, now);
        if hidden {
            (after.team, after.hook, after.scenario) = (None, None, None);
        }
        settle(reach, endpoint, &before, after, now).await?;
    } else if before.is_stale(now) || behind.row.is_none() && heard.failure.is_some() {
        // Nothing is known that could hold it.
        release(reach, endpoint, None, now).await?;
    }
    Ok(INTERVAL)
}

/// Nobody could be asked. What is known is believed for a while, whatever addresses it is of: they do not open either.
async fn unasked(deps: &Deps, account: &Account, now: Timestamp) -> Result<()> {
    let (endpoints, rows) = known(&deps.table, account.tenant).await?;
    for endpoint in &endpoints {
        match rows.iter().find(|row| row.endpoint == endpoint.id) {
            Some(row) if !row.is_stale(now) => {}
            Some(row) if row.holds() || row.fill != Fill::Low => {
                settle(deps.reach(), endpoint, row, rules::forget(&endpoint.name, row, now), now).await?;
            }
            _ => drop(release(deps.reach(), endpoint, None, now).await?),
        }
    }
    Ok(())
}

/// That the account has no webhook of this address, where that is certain.
fn absent(behind: &Behind, heard: &Heard) -> Option<Seen> {
    let known = behind.known();
    let hook = known.and_then(|known| known.hook.as_ref());
    let certain = match (hook, known.and_then(|known| known.team)) {
        // It was there: its own team has to say that it is not there any more, and every other that it is not there.
        (Some(hook), Some(team)) => heard.has_read(team) && (heard.is_complete || !hook.listed),
        _ => heard.is_complete,
    };
    certain.then(|| Seen {
        team: None,
        hook: hook.map(|hook| Hook { listed: false, ..hook.clone() }),
        scenario: known.and_then(|known| known.scenario.clone()),
        attached: false,
    })
}

/// All endpoints of a tenant with what is known of them; and those that are gone and left something behind.
async fn behind(deps: &Deps, account: &Account, keyring: &Keyring) -> Result<(Vec<Behind>, Vec<EndpointId>)> {
    let (endpoints, rows) = known(&deps.table, account.tenant).await?;
    let mut rows: HashMap<EndpointId, Receiver> = rows.into_iter().map(|row| (row.endpoint, row)).collect();
    let behind = endpoints
        .into_iter()
        .map(|endpoint| {
            let address = Address::of(&deps.egress, keyring, &endpoint);
            let mark = address.as_ref().map(|address| address.looked_for_in(account)).unwrap_or_default();
            Behind { row: rows.remove(&endpoint.id), address, mark, endpoint }
        })
        .collect();
    Ok((behind, rows.into_keys().collect()))
}

/// An account that was taken back: what it held is opened, then its row goes.
async fn end(deps: &Deps, account: &Account, now: Timestamp) -> Result<Looked> {
    release_all(deps.reach(), account.tenant, now).await?;
    deps.table.delete_seen(key::make_account(account.tenant), "revision", account.revision).await?;
    Ok(Looked { outcome: Outcome::Answered, next_at: now })
}
