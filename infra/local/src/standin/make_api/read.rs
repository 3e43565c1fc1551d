//! The endpoints. What a token does not see is not found, as what does not exist.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    Answer, Object, Token, Zone, forbidden, invalid, is, not_found, number_in,
    page::{Paging, chosen, number},
    queue::Hook,
    runs::{LogQuery, Runs, usage},
    template::HIDDEN,
};
use crate::standin::call::Call;

/// The least that a scenario must have used to be listed in the consumptions.
const LEAST_CENTICREDITS: u64 = 100;

const ORGANIZATIONS: Paging =
    Paging { sort_by: "name", descending: false, limit: 10_000, columns: &["id", "name", "timezoneId"] };
const TEAMS: Paging = Paging { sort_by: "name", descending: false, limit: 10_000, columns: &[] };
const SCENARIOS: Paging = Paging { sort_by: "id", descending: true, limit: 10, columns: &[] };
const LOGS: i64 = 50;

/// Answers one call.
pub(super) struct Reader<'a> {
    pub(super) zone: &'a Zone,
    pub(super) token: &'a Token,
    pub(super) call: &'a Call,
}

impl<'a> Reader<'a> {
    pub(super) fn read(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            ["users", "me", "current-authorization"] => Ok(self.authorization()),
            ["organizations", rest @ ..] => self.allowed("organizations:read").and_then(|()| self.organizations(rest)),
            ["teams", rest @ ..] => self.allowed("teams:read").and_then(|()| self.teams(rest)),
            ["scenarios", rest @ ..] => self.allowed("scenarios:read").and_then(|()| self.scenarios(rest)),
            ["hooks", rest @ ..] => self.allowed("hooks:read").and_then(|()| self.hooks(rest)),
            ["dlqs", rest @ ..] => self.allowed("dlqs:read").and_then(|()| self.dlqs(rest)),
            _ => Err(not_found()),
        }
    }

    fn allowed(&self, scope: &str) -> Result<(), Answer> {
        self.token.scopes.iter().any(|granted| granted == scope).then_some(()).ok_or_else(forbidden)
    }

    fn authorization(&self) -> Value {
        json!({ "authorization": { "authUsed": "token", "scope": self.token.scopes } })
    }

    // ── organisations and teams ──────────────────────────────────────────────

    fn organizations(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            [] => {
                let mine = self.zone.organizations.iter().filter(|(id, _)| self.sees(**id));
                let mine = mine.map(|(_, organization)| self.organization(organization)).collect();
                let (page, pg) = ORGANIZATIONS.cut(mine, &self.call.query)?;
                Ok(json!({ "organizations": page, "pg": pg }))
            }
            [id] => {
                let organization = self.organization(self.find_organization(id)?);
                Ok(json!({ "organization": chosen(organization, &self.call.query, &[]) }))
            }
            [id, "usage"] => {
                let id = number_in(self.find_organization(id)?, "id").unwrap_or_default();
                self.usage(id, |scenario| self.zone.organization_of_scenario(scenario) == Some(id))
            }
            _ => Err(not_found()),
        }
    }

    fn organization(&self, organization: &Object) -> Object {
        let id = number_in(organization, "id");
        let teams = self.zone.teams.values().filter(|team| number_in(team, "organizationId") == id);
        let teams: Value = teams.map(|team| json!({ "id": team["id"], "name": team["name"] })).collect();
        let active = self
            .zone
            .scenarios
            .iter()
            .filter(|(scenario, it)| is(it, "isActive") && self.zone.organization_of_scenario(**scenario) == id);
        let mut shown = shown(organization);
        shown.insert("activeScenarios".into(), active.count().into());
        shown.insert("teams".into(), teams);
        shown
    }

    fn teams(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            [] => {
                let asked = self.asked("organizationId")?;
                let id = number_in(self.find_organization(&asked.to_string())?, "id");
                let teams = self.zone.teams.values().filter(|team| number_in(team, "organizationId") == id);
                let (page, pg) = TEAMS.cut(teams.map(shown).collect(), &self.call.query)?;
                Ok(json!({ "teams": page, "pg": pg }))
            }
            [id] => Ok(json!({ "team": chosen(shown(self.find_team(id)?), &self.call.query, &[]) })),
            [id, "usage"] => {
                let team = self.find_team(id)?;
                let organization = number_in(team, "organizationId").unwrap_or_default();
                self.usage(organization, |scenario| {
                    self.zone.scenarios.get(&scenario).is_some_and(|it| it["teamId"] == team["id"])
                })
            }
            _ => Err(not_found()),
        }
    }

    // ── scenarios ────────────────────────────────────────────────────────────

    fn scenarios(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            [] => {
                let active = self.call.query.find("isActive").map(|active| active == "true");
                let wanted = self.scenarios_asked()?;
                let wanted = wanted.into_iter().filter(|it| active.is_none_or(|active| is(it, "isActive") == active));
                let (page, pg) = SCENARIOS.cut(wanted.map(|it| self.scenario(it)).collect(), &self.call.query)?;
                Ok(json!({ "scenarios": page, "pg": pg }))
            }
            ["consumptions"] => self.consumptions(),
            [id] => {
                let scenario = self.scenario(self.find_scenario(id)?);
                Ok(json!({ "scenario": chosen(scenario, &self.call.query, &[]) }))
            }
            [id, "usage"] => {
                let id = number_in(self.find_scenario(id)?, "id").unwrap_or_default();
                let organization = self.zone.organization_of_scenario(id).unwrap_or_default();
                let mut used = self.usage(organization, |scenario| scenario == id)?;
                if self.zone.scenarios.get(&id).is_some_and(|it| is(it, "countersAsText")) {
                    used["data"].as_array_mut().into_iter().flatten().for_each(|row| *row = in_text(row.take()));
                }
                Ok(used)
            }
            [id, "logs"] => self.logs(self.find_scenario(id)?),
            [id, "logs", execution] => {
                let scenario = self.find_scenario(id)?;
                let runs = self.runs(scenario).and_then(|runs| runs.find(execution));
                let (imt_id, run) = runs.ok_or_else(not_found)?;
                let (organization, team) = self.home(scenario);
                Ok(json!({ "scenarioLog": run.shown(imt_id, organization, team) }))
            }
            [id, "triggers"] => {
                let hook = number_in(self.find_scenario(id)?, "hookId").and_then(|id| self.zone.hooks.get(&id));
                Ok(Value::Object(self.hook(hook.ok_or_else(not_found)?)))
            }
            _ => Err(not_found()),
        }
    }

    /// Of a team or of an organisation: exactly one must be named.
    fn scenarios_asked(&self) -> Result<Vec<&'a Object>, Answer> {
        let query = &self.call.query;
        match (query.find("teamId"), query.find("organizationId")) {
            (Some(_), Some(_)) => Err(invalid("teamId and organizationId cannot be used together", &[])),
            (None, None) => Err(invalid("Missing required parameter teamId or organizationId", &[])),
            (Some(_), None) => {
                let team = &self.find_team(&self.asked("teamId")?.to_string())?["id"];
                Ok(self.zone.scenarios.values().filter(|it| it["teamId"] == *team).collect())
            }
            (None, Some(_)) => {
                let id = number_in(self.find_organization(&self.asked("organizationId")?.to_string())?, "id");
                let of_it = |(scenario, _): &(&u64, _)| self.zone.organization_of_scenario(**scenario) == id;
                Ok(self.zone.scenarios.iter().filter(of_it).map(|(_, scenario)| scenario).collect())
            }
        }
    }

    fn scenario(&self, scenario: &Object) -> Object {
        let dlqs = number_in(scenario, "id").and_then(|id| self.zone.dlqs.get(&id)).map_or(0, Vec::len);
        let mut shown = shown(scenario);
        shown.insert("dlqCount".into(), dlqs.into());
        shown
    }

    fn logs(&self, scenario: &Object) -> Result<Value, Answer> {
        let query = &self.call.query;
        let limit = number(query, "pg[limit]")?.unwrap_or(LOGS);
        let limit = scenario["logPage"].as_i64().map_or(limit, |most| limit.min(most));
        let bound = |name| -> Result<Option<i64>, Answer> {
            let asked = number(query, name)?;
            Ok(match scenario["logBounds"].as_str() {
                Some("ignored") => None,
                Some("seconds") => asked.map(|seconds| seconds.saturating_mul(1_000)),
                _ => asked,
            })
        };
        let asked = LogQuery {
            from: bound("from")?,
            to: bound("to")?,
            last: query.find("pg[last]").filter(|_| !is(scenario, "logRepeats")),
            show_last: query.text("pg[showLast]") == "true",
            descending: query.text("pg[sortDir]") != "asc",
            limit: usize::try_from(limit).unwrap_or(0),
        };
        let (organization, team) = self.home(scenario);
        let rows = self.runs(scenario).map(|runs| runs.log(&asked)).unwrap_or_default();
        let rows = rows.into_iter().map(|(imt_id, run)| run.shown(imt_id, organization, team));
        let rows: Value = if is(scenario, "countersAsText") { rows.map(in_text).collect() } else { rows.collect() };
        let mut pg = json!({
            "sortBy": "imtId", "sortDir": if asked.descending { "desc" } else { "asc" },
            "showLast": asked.show_last, "limit": limit,
        });
        if let Some(last) = asked.last {
            pg["last"] = last.into();
        }
        Ok(json!({ "scenarioLogs": rows, "pg": pg }))
    }

    /// Only scenarios that have used a credit in the period are listed.
    fn consumptions(&self) -> Result<Value, Answer> {
        let scenarios = self.scenarios_asked()?;
        let organization = scenarios.first().and_then(|it| self.zone.organizations.get(&self.home(it).0));
        let reset = organization.map_or(Value::Null, |it| it["lastReset"].clone());
        let start: Timestamp = reset.as_str().and_then(|reset| reset.parse().ok()).unwrap_or(Timestamp::MIN);
        let used = scenarios.into_iter().filter_map(|it| Some((it, self.runs(it)?.since(start))));
        let rows: Value = used
            .filter(|(_, used)| used.centicredits >= LEAST_CENTICREDITS)
            .map(|(it, used)| {
                json!({
                    "scenarioId": it["id"], "operations": used.operations, "centicredits": used.centicredits,
                    "transfer": used.transfer,
                })
            })
            .collect();
        Ok(json!({ "scenarioConsumptions": rows, "lastReset": reset }))
    }

    fn usage(&self, organization: u64, of: impl Fn(u64) -> bool) -> Result<Value, Answer> {
        let theirs = self.call.query.text("organizationTimezone") == "true";
        let zone = match self.zone.organizations.get(&organization) {
            Some(it) if theirs => it["timezone"].as_str().unwrap_or_default(),
            _ => &self.token.timezone,
        };
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let runs = self.zone.runs.iter().filter(|(scenario, _)| of(**scenario)).map(|(_, runs)| runs);
        Ok(json!({ "data": usage(runs, &zone) }))
    }

    // ── hooks and incomplete executions ──────────────────────────────────────

    fn hooks(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            [] => {
                let query = &self.call.query;
                if query.find("teamId").is_none() {
                    return Err(invalid("Missing value of required parameter", &["teamId is required"]));
                }
                let team = &self.find_team(&self.asked("teamId")?.to_string())?["id"];
                let kind = query.find("typeName");
                let assigned = query.find("assigned").map(|assigned| assigned == "true");
                let mut hooks: Vec<Object> = (self.zone.hooks.values())
                    .filter(|hook| hook.object["teamId"] == *team)
                    .filter(|hook| kind.is_none_or(|kind| hook.object["typeName"] == kind))
                    .map(|hook| self.hook(hook))
                    .filter(|hook| assigned.is_none_or(|assigned| hook.contains_key("scenarioId") == assigned))
                    .collect();
                hooks.sort_by_key(|hook| hook["name"].to_string());
                Ok(json!({ "hooks": hooks }))
            }
            [id] => Ok(json!({ "hook": self.hook(self.find_hook(id)?) })),
            [id, "ping"] => {
                let hook = self.hook(self.find_hook(id)?);
                Ok(json!({
                    "address": hook["url"], "attached": hook.contains_key("scenarioId"), "learning": false,
                    "gone": hook["gone"],
                }))
            }
            _ => Err(not_found()),
        }
    }

    /// A hook with its queue, its scenario if it has one, and the address at which it is played.
    fn hook(&self, hook: &Hook) -> Object {
        let mut shown = shown(&hook.object);
        shown.insert("queueCount".into(), hook.count.into());
        shown.remove("scenarioId");
        let id = number_in(&hook.object, "id").unwrap_or_default();
        if let Some((scenario, it)) = self.zone.scenario_of_hook(id) {
            shown.insert("scenarioId".into(), scenario.into());
            shown.insert("scenarioName".into(), it["name"].clone());
            shown.insert("scenarioIsActive".into(), it["isActive"].clone());
        }
        if hook.object["url"].is_null() {
            let here = self.call.header("host").unwrap_or("127.0.0.1");
            let udid = hook.object["udid"].as_str().unwrap_or_default();
            shown.insert("url".into(), format!("http://{here}/hook.{}/{udid}", self.call.host).into());
        }
        shown
    }

    fn dlqs(&self, path: &[&str]) -> Result<Value, Answer> {
        match path {
            [] => {
                let scenario = self.find_scenario(&self.asked("scenarioId")?.to_string())?;
                let id = number_in(scenario, "id").unwrap_or_default();
                Ok(json!({ "dlqs": self.zone.dlqs.get(&id).cloned().unwrap_or_default() }))
            }
            [id] => {
                let found = self
                    .zone
                    .dlqs
                    .iter()
                    .find_map(|(scenario, dlqs)| Some((*scenario, dlqs.iter().find(|dlq| dlq["id"] == **id)?)));
                let (scenario, dlq) = found.ok_or_else(not_found)?;
                let scenario = self.find_scenario(&scenario.to_string())?;
                let team = self.zone.teams.get(&self.home(scenario).1).ok_or_else(not_found)?;
                let mut dlq = dlq.clone();
                for (name, value) in [
                    ("scenarioId", &scenario["id"]),
                    ("scenarioName", &scenario["name"]),
                    ("companyId", &team["id"]),
                    ("companyName", &team["name"]),
                    ("deleted", &Value::Bool(false)),
                ] {
                    dlq.insert(name.into(), value.clone());
                }
                Ok(json!({ "dlq": dlq }))
            }
            _ => Err(not_found()),
        }
    }

    // ── who sees what ────────────────────────────────────────────────────────

    fn sees(&self, organization: u64) -> bool {
        self.token.organizations.contains(&organization)
    }

    /// The organisation and the team of a scenario.
    fn home(&self, scenario: &Object) -> (u64, u64) {
        let team = number_in(scenario, "teamId").unwrap_or_default();
        (self.zone.organization_of_team(team).unwrap_or_default(), team)
    }

    fn runs(&self, scenario: &Object) -> Option<&'a Runs> {
        self.zone.runs.get(&number_in(scenario, "id")?)
    }

    fn asked(&self, name: &str) -> Result<i64, Answer> {
        let required = || invalid("Missing value of required parameter", &[&format!("{name} is required")]);
        number(&self.call.query, name)?.ok_or_else(required)
    }

    fn find_organization(&self, id: &str) -> Result<&'a Object, Answer> {
        let id = id.parse().ok().filter(|id| self.sees(*id));
        id.and_then(|id| self.zone.organizations.get(&id)).ok_or_else(not_found)
    }

    fn find_team(&self, id: &str) -> Result<&'a Object, Answer> {
        let id = id.parse().ok().filter(|id| self.zone.organization_of_team(*id).is_some_and(|of| self.sees(of)));
        id.and_then(|id| self.zone.teams.get(&id)).ok_or_else(not_found)
    }

    fn find_scenario(&self, id: &str) -> Result<&'a Object, Answer> {
        let id = id.parse().ok().filter(|id| self.zone.organization_of_scenario(*id).is_some_and(|of| self.sees(of)));
        id.and_then(|id| self.zone.scenarios.get(&id)).ok_or_else(not_found)
    }

    fn find_hook(&self, id: &str) -> Result<&'a Hook, Answer> {
        let hook = id.parse().ok().and_then(|id: u64| self.zone.hooks.get(&id)).ok_or_else(not_found)?;
        let team = number_in(&hook.object, "teamId").unwrap_or_default();
        self.find_team(&team.to_string()).map(|_| hook)
    }
}

/// The same row with its counters as text, as an organisation has them.
fn in_text(mut row: Value) -> Value {
    for (name, value) in row.as_object_mut().into_iter().flatten() {
        if value.is_u64() && !name.ends_with("Id") {
            *value = value.to_string().into();
        }
    }
    row
}

/// An object without the words that are the stand-in's own.
fn shown(object: &Object) -> Object {
    let mut object = object.clone();
    object.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    object
}
