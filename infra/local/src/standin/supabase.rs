//! Supabase: the tables of a project behind PostgREST, and its database webhooks, which are lossy.
//!
//! A project's address is `/supabase/{project}` on the stand-in, as a tenant gives it. Rows are read at
//! `/rest/v1/{table}` and changed by the control interface, which plays the application that owns the database.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, either};
use query::{Condition, Query, Test};
use table::{Found, Table};
pub use webhook::{DatabaseHook, Loss, NetResponse};
use webhook::{Outbox, Outgoing};
pub(super) use webhook::{PgNet, send};

mod query;
mod table;
mod value;
mod webhook;

/// What PostgREST returns at most, unless a project sets something else.
const MAX_ROWS: usize = 1_000;

pub(super) fn plays(host: &str) -> bool {
    host == "supabase"
}

/// How a project is set up. What is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// The keys that it takes; `sb_secret_{project}` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_keys: Option<Vec<String>>,
    /// The most rows in an answer, whatever its limit; 1,000 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<usize>,
    /// Who is told of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<DatabaseHook>>,
    /// Which webhooks are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Tables made anew, by column and type. A table that is not declared takes on what its rows bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Tables whose rows row level security hides from the keys, but for those with these ids; none unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_security: Option<BTreeMap<String, Vec<String>>>,
}

/// What the application does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A new row; its `id` is a new UUID if the record has none.
    Insert,
    /// The record's fields in the row with its `id`.
    Update,
    /// The row with the record's `id` is gone.
    Delete,
}

/// One change of one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowChange {
    /// Where.
    pub table: String,
    /// What.
    pub operation: Operation,
    /// The row or a part of it. `updated_at` is set to the time of the change unless it is given.
    pub record: Map<String, Value>,
}

impl RowChange {
    /// A new row. Panics unless the record is an object, as do the others.
    pub fn insert(table: &str, record: Value) -> Self {
        Self::of(table, Operation::Insert, record)
    }

    /// A change of the fields that the record has besides `id`.
    pub fn update(table: &str, record: Value) -> Self {
        Self::of(table, Operation::Update, record)
    }

    /// The row is deleted.
    pub fn delete(table: &str, id: impl Into<Value>) -> Self {
        Self::of(table, Operation::Delete, json!({ "id": id.into() }))
    }

    fn of(table: &str, operation: Operation, record: Value) -> Self {
        let Value::Object(record) = record else { panic!("a record is an object, and not {record}") };
        Self { table: table.into(), operation, record }
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The row as it is now; null if it is gone.
    pub record: Value,
    /// The row as it was; null if it is new.
    pub old_record: Value,
    /// How many webhooks were sent.
    pub sent: usize,
    /// How many webhooks were lost.
    pub dropped: usize,
}

/// What is in a project, and what became of its webhooks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProjectState {
    /// The number of rows by table.
    pub rows: BTreeMap<String, usize>,
    /// Webhooks that were sent.
    pub sent: u64,
    /// Webhooks that were lost on order.
    pub dropped: u64,
    /// Webhooks that are under way.
    pub pending: u64,
    /// How the last of those ended that were sent.
    pub responses: Vec<NetResponse>,
}

#[derive(Default)]
pub(super) struct Supabase {
    projects: BTreeMap<String, State>,
}

struct State {
    api_keys: Vec<String>,
    max_rows: usize,
    tables: BTreeMap<String, Table>,
    row_security: BTreeMap<String, Vec<String>>,
    outbox: Outbox,
}

/// What PostgREST answers when something is wrong.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    body: Value,
    range: Option<String>,
}

impl Failure {
    fn new(status: u16, code: &str, message: &str, details: Option<&str>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: json!({ "code": code, "details": details, "hint": null, "message": message }),
            range: None,
        }
    }

    fn range(details: &str) -> Self {
        Self::new(416, "PGRST103", "Requested range not satisfiable", Some(details))
    }

    #[cfg(test)]
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let code = failure.body["code"].as_str().unwrap_or_default();
        let answer = Answer::json(failure.status, &failure.body)
            .header("content-type", "application/json; charset=utf-8")
            .header("proxy-status", &format!("PostgREST; error={code}"));
        match failure.range {
            Some(range) => answer.header("content-range", &range),
            None => answer,
        }
    }
}

impl Supabase {
    // ── control ──────────────────────────────────────────────────────────────

    /// Sets a project up, or changes how it is set up.
    pub(super) fn set(&mut self, name: &str, project: Project) -> Result<(), String> {
        let mut tables = BTreeMap::new();
        for (table, columns) in project.tables.iter().flatten() {
            tables.insert(table.clone(), Table::declared(columns)?);
        }
        let state = self.open(name);
        state.tables.extend(tables);
        state.api_keys = project.api_keys.unwrap_or(std::mem::take(&mut state.api_keys));
        state.max_rows = project.max_rows.unwrap_or(state.max_rows);
        state.row_security = project.row_security.unwrap_or(std::mem::take(&mut state.row_security));
        state.outbox.set(project.webhooks, project.loss)
    }

    /// Makes changes that are one transaction: they share its time. Returns what is to be sent afterwards.
    ///
    /// # Errors
    /// A change that cannot be made; those before it stand, and what they send is returned as well.
    pub(super) fn change(
        &mut self,
        name: &str,
        changes: Vec<RowChange>,
        now: Timestamp,
    ) -> (Result<Vec<Changed>, String>, Vec<Outgoing>) {
        let state = self.open(name);
        let (mut done, mut posts) = (Vec::new(), Vec::new());
        for change in changes {
            match state.change(change, now) {
                Ok((changed, mut sent)) => {
                    posts.append(&mut sent);
                    done.push(changed);
                }
                Err(reason) => return (Err(format!("change {}: {reason}", done.len() + 1)), posts),
            }
        }
        (Ok(done), posts)
    }

    pub(super) fn state(&self, name: &str) -> Option<ProjectState> {
        let state = self.projects.get(name)?;
        let rows = state.tables.iter().map(|(name, table)| (name.clone(), table.len())).collect();
        Some(state.outbox.report(rows))
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.projects.remove(name);
    }

    /// Notes how a webhook ended.
    pub(super) fn note(&mut self, name: &str, response: NetResponse) {
        if let Some(state) = self.projects.get_mut(name) {
            state.outbox.note(response);
        }
    }

    fn open(&mut self, name: &str) -> &mut State {
        self.projects.entry(name.into()).or_insert_with(|| State {
            api_keys: vec![format!("sb_secret_{name}")],
            max_rows: MAX_ROWS,
            tables: BTreeMap::new(),
            row_security: BTreeMap::new(),
            outbox: Outbox::default(),
        })
    }

    // ── the vendor ───────────────────────────────────────────────────────────

    pub(super) fn answer(&self, call: &Call) -> Answer {
        let (name, path) = call.path[1..].split_once('/').unwrap_or((&call.path[1..], ""));
        match (self.projects.get(name), path.strip_prefix("rest/v1/")) {
            (None, _) => Answer::text(StatusCode::NOT_FOUND, "No such project"),
            (_, None) => Answer::text(StatusCode::NOT_FOUND, "Only the REST interface is played here"),
            (Some(project), Some(table)) => either(project.read(call, table)),
        }
    }
}

impl State {
    fn change(&mut self, change: RowChange, now: Timestamp) -> Result<(Changed, Vec<Outgoing>), String> {
        let (name, operation) = (change.table.clone(), change.operation);
        let table = self.tables.entry(name.clone()).or_default();
        let rows = table.change(change, now)?;
        let [record, old_record] = [&rows.after, &rows.before].map(|row| table.jsonb(row.as_ref()));
        let body = format!(
            r#"{{"type": "{}", "table": {}, "record": {record}, "schema": "public", "old_record": {old_record}}}"#,
            operation.event(),
            Value::from(name.as_str()),
        );
        let (posts, dropped) = self.outbox.fire(&name, operation.event(), &body);
        let read = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let changed = Changed { record: read(&record), old_record: read(&old_record), sent: posts.len(), dropped };
        Ok((changed, posts))
    }

    fn read(&self, call: &Call, name: &str) -> Result<Answer, Answer> {
        self.admit(call)?;
        if !matches!(call.method, Method::GET | Method::HEAD) {
            return Err(Answer::text(StatusCode::METHOD_NOT_ALLOWED, "Only reading is played here"));
        }
        if name.contains('/') {
            return Err(Failure::new(404, "PGRST125", "Invalid path specified in request URL", None).into());
        }
        let table = self.tables.get(name).ok_or_else(|| {
            let message = format!("Could not find the table 'public.{name}' in the schema cache");
            Failure::new(404, "PGRST205", &message, None)
        })?;
        let mut query = Query::read(&call.query)?;
        if let Some(shown) = self.row_security.get(name) {
            // Postgres adds a policy to the query, so that what is hidden is not counted either.
            query.conditions.push(Condition::Test { column: "id".into(), test: Test::In(shown.clone()) });
        }
        let found = table.select(name, &query, self.max_rows)?;
        let counted = call.header("prefer").is_some_and(|prefer| prefer.contains("count=exact"));
        Ok(page(&found, query.offset, counted)?)
    }

    /// The gateway wants a known key in `apikey`; PostgREST behind it wants a role, which the bearer gives it.
    fn admit(&self, call: &Call) -> Result<(), Answer> {
        let gateway = |message: &str, hint: &str| {
            Answer::json(StatusCode::UNAUTHORIZED, &json!({ "message": message, "hint": hint }))
        };
        let known = |key: &str| self.api_keys.iter().any(|known| known == key);
        match call.header("apikey") {
            None => Err(gateway("No API key found in request", "No `apikey` request header or url param was found.")),
            Some(key) if !known(key) => {
                Err(gateway("Invalid API key", "Double check your Supabase `anon` or `service_role` API key."))
            }
            Some(_) => match call.credential("bearer") {
                None => Err(Failure::new(401, "PGRST302", "Anonymous access is disabled", None).into()),
                Some(key) if !known(key) => {
                    let message = format!("Expected 3 parts in JWT; got {}", key.split('.').count());
                    Err(Failure::new(401, "PGRST301", &message, None).into())
                }
                Some(_) => Ok(()),
            },
        }
    }
}

impl Operation {
    fn event(self) -> &'static str {
        match self {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// A page with its range, and with the number of all rows if that was asked for.
fn page(found: &Found, offset: usize, counted: bool) -> Result<Answer, Failure> {
    let total = if counted { found.total.to_string() } else { "*".into() };
    if counted && offset > found.total {
        let details = format!("An offset of {offset} was requested, but there are only {} rows.", found.total);
        return Err(Failure { range: Some(format!("*/{total}")), ..Failure::range(&details) });
    }
    let range = match found.rows {
        0 => format!("*/{total}"),
        rows => format!("{offset}-{}/{total}", offset + rows - 1),
    };
    let partial = counted && found.rows < found.total;
    Ok(Answer::empty(if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header("content-type", "application/json; charset=utf-8")
        .header("content-range", &range)
        .body(found.json.clone()))
}
