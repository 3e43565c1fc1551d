//! Setting up what Make's API shows.

use std::time::Instant;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    MakeApi, Object, Token, ZONES, Zone, number_in,
    queue::{Drain, Hook},
    runs::MakeRun,
    template,
};

/// What a token may do unless something else is said.
const SCOPES: [&str; 5] = ["organizations:read", "teams:read", "scenarios:read", "hooks:read", "dlqs:read"];

/// A customer of Make: an organisation with a team, whose scenario is on and is started by a hook.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeOrder {
    /// The hook's, which no other in the zone has.
    pub udid: String,
    /// The API token; a new one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What the token may do; reading unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Calls a minute; 60 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_limit: Option<u64>,
    /// What the hook's queue holds; 667 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_limit: Option<u64>,
}

impl MakeOrder {
    /// A customer whose hook is `/hook.{zone}/{udid}`.
    pub fn for_hook(udid: impl Into<String>) -> Self {
        Self { udid: udid.into(), ..Self::default() }
    }
}

/// A customer that was set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeAccount {
    /// The host of its API: `eu1.make.com`.
    pub zone: String,
    /// Its API token.
    pub token: String,
    /// Its organisation.
    pub organization_id: u64,
    /// The team.
    pub team_id: u64,
    /// The scenario.
    pub scenario_id: u64,
    /// The hook.
    pub hook_id: u64,
    /// Where the hook is played.
    pub hook_path: String,
}

/// What a token is told; the rest stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenOrder {
    token: Option<String>,
    scopes: Option<Vec<String>>,
    organizations: Option<Vec<u64>>,
    timezone: Option<String>,
}

impl MakeApi {
    /// Sets up a customer.
    pub(in crate::standin) fn account(&mut self, zone: &str, order: &MakeOrder) -> Result<MakeAccount, String> {
        let now = Instant::now();
        let mut made = |what, json| {
            let object = self.put(zone, what, json, now)?;
            object["id"].as_u64().ok_or_else(|| format!("{what} have numbers"))
        };
        let organization_id =
            made("organizations", json!({ "license": { "apiLimit": order.api_limit.unwrap_or(60) } }))?;
        let team_id = made("teams", json!({ "organizationId": organization_id }))?;
        let queue_limit = order.queue_limit.unwrap_or(667);
        let hook_id = made("hooks", json!({ "teamId": team_id, "udid": order.udid, "queueLimit": queue_limit }))?;
        let scenario_id = made("scenarios", json!({ "teamId": team_id, "hookId": hook_id }))?;
        let mut token = json!({ "organizations": [organization_id] });
        if let Some(given) = &order.token {
            token["token"] = given.as_str().into();
        }
        if let Some(scopes) = &order.scopes {
            token["scopes"] = scopes.as_slice().into();
        }
        let token = self.put(zone, "tokens", token, now)?["token"].as_str().unwrap_or_default().to_owned();
        let hook_path = format!("/hook.{zone}/{}", order.udid);
        Ok(MakeAccount { zone: zone.into(), token, organization_id, team_id, scenario_id, hook_id, hook_path })
    }

    /// Makes an object, or changes the one with the `id` that is given, and returns it.
    pub(in crate::standin) fn put(
        &mut self,
        zone: &str,
        what: &str,
        said: Value,
        now: Instant,
    ) -> Result<Value, String> {
        if !ZONES.contains(&zone) {
            return Err(format!("the zones are {}", ZONES.join(", ")));
        }
        let Value::Object(mut said) = said else { return Err("an object is wanted".into()) };
        if what == "tokens" {
            return self.zones.entry(zone.into()).or_default().put_token(Value::Object(said));
        }
        let given = match said.remove("id") {
            None => None,
            Some(id) => Some(id.as_u64().ok_or("an `id` is a number")?),
        };
        let new = self.last_id + 1;
        self.last_id = given.map_or(new, |given| self.last_id.max(given));
        let there = self.zones.entry(zone.into()).or_default();
        there.settle(now);
        let id = given.unwrap_or(new);
        match what {
            "organizations" => there.put_organization(zone, id, said),
            "teams" => there.put_team(id, said),
            "scenarios" => there.put_scenario(id, said),
            "hooks" => there.put_hook(id, said, now),
            _ => Err("there are tokens, organizations, teams, scenarios and hooks".into()),
        }
    }

    /// Adds runs to a scenario's log, and what they used to its counters and its organisation's.
    pub(in crate::standin) fn add_runs(&mut self, zone: &str, id: u64, runs: Vec<MakeRun>) -> Result<(), String> {
        let there = self.zones.get_mut(zone).ok_or("nothing is set up in this zone")?;
        let organization = there.organization_of_scenario(id).ok_or("there is no such scenario")?;
        let used = there.runs.entry(id).or_default().add(id, runs);
        for (name, more) in [("operations", used.operations), ("transfer", used.transfer)] {
            if let Some(scenario) = there.scenarios.get_mut(&id) {
                let known = number_in(scenario, name).unwrap_or_default();
                scenario.insert(name.into(), (known + more).into());
            }
            if let Some(organization) = there.organizations.get_mut(&organization) {
                let known: u64 = organization[name].as_str().and_then(|known| known.parse().ok()).unwrap_or_default();
                organization.insert(name.into(), (known + more).to_string().into());
            }
        }
        Ok(())
    }

    /// Deletes a scenario with its log. Its hook stays without one.
    pub(in crate::standin) fn delete_scenario(&mut self, zone: &str, id: u64) -> Result<(), String> {
        let there = self.zones.get_mut(zone).ok_or("nothing is set up in this zone")?;
        there.scenarios.remove(&id).ok_or("there is no such scenario")?;
        there.runs.remove(&id);
        there.dlqs.remove(&id);
        Ok(())
    }

    /// Adds incomplete executions to a scenario.
    pub(in crate::standin) fn add_dlqs(&mut self, zone: &str, id: u64, reasons: &[String]) -> Result<(), String> {
        let there = self.zones.get_mut(zone).ok_or("nothing is set up in this zone")?;
        if !there.scenarios.contains_key(&id) {
            return Err("there is no such scenario".into());
        }
        there.dlqs.entry(id).or_default().extend(reasons.iter().map(|reason| template::dlq(reason)));
        Ok(())
    }
}

impl Zone {
    fn put_token(&mut self, said: Value) -> Result<Value, String> {
        let order: TokenOrder = serde_json::from_value(said).map_err(|error| error.to_string())?;
        let name = order.token.unwrap_or_else(|| Uuid::new_v4().to_string());
        let token = self.tokens.entry(name.clone()).or_insert_with(|| Token {
            scopes: SCOPES.map(Into::into).to_vec(),
            organizations: vec![],
            timezone: "UTC".into(),
        });
        token.scopes = order.scopes.unwrap_or(std::mem::take(&mut token.scopes));
        token.organizations = order.organizations.unwrap_or(std::mem::take(&mut token.organizations));
        if let Some(timezone) = order.timezone {
            known_timezone(&timezone)?;
            token.timezone = timezone;
        }
        Ok(json!({
            "token": name, "scopes": token.scopes, "organizations": token.organizations, "timezone": token.timezone,
        }))
    }

    fn put_organization(&mut self, zone: &str, id: u64, said: Object) -> Result<Value, String> {
        if let Some(timezone) = said.get("timezone") {
            known_timezone(timezone.as_str().unwrap_or_default())?;
        }
        let mut organization = self.organizations.get(&id).cloned().unwrap_or_else(|| template::organization(id, zone));
        template::apply(&mut organization, "organizations", said)?;
        self.organizations.insert(id, organization.clone());
        Ok(Value::Object(organization))
    }

    fn put_team(&mut self, id: u64, said: Object) -> Result<Value, String> {
        let mut team = self.teams.get(&id).cloned().unwrap_or_else(|| template::team(id));
        template::apply(&mut team, "teams", said)?;
        if !number_in(&team, "organizationId").is_some_and(|id| self.organizations.contains_key(&id)) {
            return Err("`organizationId` names no organization".into());
        }
        self.teams.insert(id, team.clone());
        Ok(Value::Object(team))
    }

    fn put_scenario(&mut self, id: u64, mut said: Object) -> Result<Value, String> {
        let dlqs = said.remove("dlqCount").map(|count| count.as_u64().ok_or("`dlqCount` is a number")).transpose()?;
        let mut scenario = self.scenarios.get(&id).cloned().unwrap_or_else(|| template::scenario(id));
        template::apply(&mut scenario, "scenarios", said)?;
        if !number_in(&scenario, "teamId").is_some_and(|id| self.teams.contains_key(&id)) {
            return Err("`teamId` names no team".into());
        }
        if let Some(hook) = number_in(&scenario, "hookId") {
            self.attach(hook, id)?;
        }
        if let Some(count) = dlqs {
            let unsaid = || template::dlq("The service is temporarily unavailable.");
            self.dlqs.entry(id).or_default().resize_with(count as usize, unsaid);
        }
        scenario.insert("dlqCount".into(), self.dlqs.get(&id).map_or(0, Vec::len).into());
        self.scenarios.insert(id, scenario.clone());
        Ok(Value::Object(scenario))
    }

    /// A queue's count that is said holds, unless it is said too how fast the queue drains.
    fn put_hook(&mut self, id: u64, mut said: Object, now: Instant) -> Result<Value, String> {
        let count =
            said.remove("queueCount").map(|count| count.as_u64().ok_or("`queueCount` is a number")).transpose()?;
        let drain = match said.remove("drainPerSecond") {
            None => count.map(|_| Drain::PerSecond(0.0)),
            Some(Value::Null) => Some(Drain::AtOnce),
            Some(rate) => Some(Drain::PerSecond(rate.as_f64().ok_or("`drainPerSecond` is a number")?)),
        };
        let scenario = said.remove("scenarioId").and_then(|id| id.as_u64());

        let (mut object, known) = match self.hooks.get(&id) {
            Some(hook) => (hook.object.clone(), (hook.count, hook.drain)),
            None => (template::hook(id), (0, Drain::AtOnce)),
        };
        template::apply(&mut object, "hooks", said)?;
        if !number_in(&object, "teamId").is_some_and(|id| self.teams.contains_key(&id)) {
            return Err("`teamId` names no team".into());
        }
        if self.hooks.iter().any(|(other, hook)| *other != id && hook.object["udid"] == object["udid"]) {
            return Err(format!("there is a hook with the udid {} already", object["udid"]));
        }
        let count = count.unwrap_or(known.0);
        let hook = Hook { object, count, drain: drain.unwrap_or(known.1), since: now };
        let mut shown = hook.object.clone();
        shown.insert("queueCount".into(), count.into());
        self.hooks.insert(id, hook);
        if let Some(scenario) = scenario {
            self.attach(id, scenario)?;
            let it = self.scenarios.get_mut(&scenario).ok_or("`scenarioId` names no scenario")?;
            it.insert("hookId".into(), id.into());
        }
        Ok(Value::Object(shown))
    }

    /// A hook belongs to one scenario: from any other it is taken away.
    fn attach(&mut self, hook: u64, scenario: u64) -> Result<(), String> {
        if !self.hooks.contains_key(&hook) {
            return Err("`hookId` names no hook".into());
        }
        for (id, other) in &mut self.scenarios {
            if *id != scenario && number_in(other, "hookId") == Some(hook) {
                other.insert("hookId".into(), Value::Null);
            }
        }
        Ok(())
    }
}

fn known_timezone(name: &str) -> Result<(), String> {
    TimeZone::get(name).map(drop).map_err(|_| format!("`{name}` is no time zone"))
}
