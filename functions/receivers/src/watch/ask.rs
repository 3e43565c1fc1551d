//! What Make.com says of a tenant's webhooks: which teams are asked, and in what order.
//!
//! Webhooks are listed by team. The teams in which one was found are asked at every look, the one of which nothing was
//! heard for the longest first. The other teams of an organisation are searched only where a webhook is wanted that none
//! of those has, and a few at a look, so that an organisation of many teams does not use up the limit of requests.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use shared::{
    egress::Egress,
    make::{
        Account, Place,
        api::{self, Api, Caller, Failure},
    },
    receiver::{Hook, Scenario},
};
use tokio::time::timeout;

use super::look::Behind;
use crate::{address::Address, rules::Seen};

/// So many teams are searched at a look, and so long after a whole search the next one begins for what it did not find.
const TEAMS_A_LOOK: usize = 10;
const SEARCH_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// All questions of a look together may take so long: what Make.com has not said by then, it has not said.
const PATIENCE: Duration = Duration::from_secs(25);
/// Longer names are cut.
const LONGEST_NAME: usize = 100;

/// What was heard at a look.
pub struct Heard {
    found: HashMap<Address, Seen>,
    read: HashSet<u64>,
    hidden: HashSet<u64>,
    why_hidden: Option<Failure>,
    /// Whether every team has been asked, at this look or those before it.
    pub is_complete: bool,
    /// The teams of the organisation, and how far they are searched.
    pub teams: Vec<u64>,
    /// See [`Account::searched`].
    pub searched: usize,
    /// See [`Account::searched_at`].
    pub searched_at: Option<Timestamp>,
    /// Why not all was heard.
    pub failure: Option<Failure>,
}

/// Who is asked, and what for.
struct Question<'a> {
    api: &'a Api,
    caller: &'a Caller,
    egress: &'a Egress,
    behind: &'a [Behind],
    wanted: HashSet<&'a Address>,
}

impl Heard {
    /// What was heard of a webhook, if it was found.
    pub fn found(&self, address: &Address) -> Option<Seen> {
        self.found.get(address).cloned()
    }

    /// Whether a team has told its webhooks.
    pub fn has_read(&self, team: u64) -> bool {
        self.read.contains(&team)
    }

    /// Whether a team is hidden from the token, or no longer there.
    pub fn is_hidden(&self, team: u64) -> bool {
        self.hidden.contains(&team)
    }

    /// Whether anybody was asked.
    pub fn has_asked(&self) -> bool {
        !self.read.is_empty() || self.failure.is_some()
    }
}

/// Asks about the webhooks of a tenant's endpoints. Whatever was heard before a failure counts.
pub async fn all(
    api: &Api,
    caller: &Caller,
    egress: &Egress,
    account: &Account,
    behind: &[Behind],
    now: Timestamp,
) -> Heard {
    let mut heard = Heard {
        found: HashMap::new(),
        read: HashSet::new(),
        hidden: HashSet::new(),
        why_hidden: None,
        is_complete: false,
        teams: account.teams.clone(),
        searched: account.searched as usize,
        searched_at: account.searched_at,
        failure: None,
    };
    let wanted: HashSet<&Address> = behind.iter().filter_map(|behind| behind.address.as_ref()).collect();
    if wanted.is_empty() {
        return heard;
    }
    let question = Question { api, caller, egress, behind, wanted };
    let asking = async {
        match account.place {
            Place::Team(team) => question.team(team, &mut heard).await.map(|()| heard.is_complete = true),
            Place::Organization(organization) => question.organization(organization, &mut heard, now).await,
        }
    };
    let outcome = timeout(PATIENCE, asking).await;
    heard.failure = outcome.unwrap_or(Err(Failure::Down("its answers took too long".into()))).err();
    heard
}

impl Question<'_> {
    async fn organization(&self, organization: u64, heard: &mut Heard, now: Timestamp) -> Result<(), Failure> {
        for team in self.known_teams() {
            self.open_team(team, heard).await?;
        }
        let all_hidden = |heard: &Heard| heard.read.is_empty() && !heard.hidden.is_empty();
        if heard.searched > 0 || all_hidden(heard) || self.is_search_due(heard, now) {
            self.search(organization, heard, now).await?;
        }
        match heard.why_hidden.take() {
            Some(failure) if all_hidden(heard) => Err(failure),
            _ => Ok(()),
        }
    }

    /// The teams in which a webhook was found.
    fn known_teams(&self) -> Vec<u64> {
        let mut known: Vec<(Timestamp, u64)> = self
            .behind
            .iter()
            .filter_map(Behind::known)
            .filter_map(|known| Some((known.seen_at, known.team?)))
            .collect();
        known.sort_unstable();
        let mut teams = Vec::new();
        for (_, team) in known {
            if !teams.contains(&team) {
                teams.push(team);
            }
        }
        teams
    }

    fn is_search_due(&self, heard: &Heard, now: Timestamp) -> bool {
        let rested = heard.searched_at.is_none_or(|at| now.duration_since(at) >= SEARCH_AGAIN);
        self.behind.iter().any(|behind| {
            let Some(address) = &behind.address else { return false };
            if heard.found.contains_key(address) {
                return false;
            }
            let Some(known) = behind.known() else { return true };
            let vanished = known.hook.as_ref().is_some_and(|hook| hook.listed)
                && known.team.is_some_and(|team| heard.has_read(team));
            vanished || rested
        })
    }

    /// Goes on with the search where the look before has left it.
    async fn search(&self, organization: u64, heard: &mut Heard, now: Timestamp) -> Result<(), Failure> {
        if heard.searched == 0 {
            heard.teams = self.api.teams(self.caller, organization).await?.into_iter().map(|team| team.id).collect();
            heard.teams.sort_unstable();
        }
        for team in heard.teams.iter().skip(heard.searched).take(TEAMS_A_LOOK).copied().collect::<Vec<_>>() {
            if !heard.has_read(team) && !heard.is_hidden(team) {
                self.open_team(team, heard).await?;
            }
            heard.searched += 1;
        }
        if heard.searched >= heard.teams.len() {
            (heard.searched, heard.searched_at, heard.is_complete) = (0, Some(now), true);
        }
        Ok(())
    }

    /// The same as [`Self::team`], where one of several may be hidden from the token.
    async fn open_team(&self, team: u64, heard: &mut Heard) -> Result<(), Failure> {
        match self.team(team, heard).await {
            Err(hidden @ (Failure::Missing | Failure::Refused { status: 403, .. })) => {
                heard.hidden.insert(team);
                heard.why_hidden = Some(hidden);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Asks a team for the webhooks that are wanted, and for their scenarios: all of it counts, or nothing.
    async fn team(&self, team: u64, heard: &mut Heard) -> Result<(), Failure> {
        let Self { api, caller, egress, .. } = self;
        let hooks: Vec<(Address, api::Hook)> = api
            .hooks(caller, team)
            .await?
            .into_iter()
            .filter_map(|hook| Some((Address::read(egress, hook.url.as_deref()?)?, hook)))
            .filter(|(address, _)| self.wanted.contains(address))
            .collect();
        let ids: HashSet<u64> = hooks.iter().filter_map(|(_, hook)| hook.scenario_id).collect();
        let ids: Vec<u64> = ids.into_iter().collect();
        let scenarios = if ids.is_empty() { Vec::new() } else { api.scenarios(caller, team, &ids).await? };
        for (address, hook) in hooks {
            let attached = match hook.scenario_id {
                Some(_) => true,
                // Not said, or none: the webhook knows.
                None => api.is_attached(caller, hook.id).await?,
            };
            let scenario = scenarios.iter().find(|scenario| Some(scenario.id) == hook.scenario_id);
            let seen =
                Seen { team: Some(team), scenario: scenario.map(scenario_seen), hook: Some(hook_seen(hook)), attached };
            heard.found.insert(address, seen);
        }
        heard.read.insert(team);
        Ok(())
    }
}

fn hook_seen(hook: api::Hook) -> Hook {
    Hook {
        id: hook.id,
        name: cut(&hook.name),
        queue_count: hook.queue_count,
        queue_limit: hook.queue_limit,
        enabled: hook.enabled,
        gone: hook.gone,
        listed: true,
    }
}

fn scenario_seen(scenario: &api::Scenario) -> Scenario {
    Scenario {
        id: scenario.id,
        name: cut(&scenario.name),
        is_active: scenario.is_active,
        is_paused: scenario.is_paused,
        is_invalid: scenario.is_invalid,
        is_linked: scenario.is_linked,
        incomplete_runs: scenario.dlq_count,
    }
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}
