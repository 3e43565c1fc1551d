//! What an owner says of a source, read and checked.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    Error, Fault, Result,
    booking::{BOOKING_EVENTS, BOOKINGS, TABLES},
    egress::Egress,
    http::{Call, Fields},
    source::{Source, Watched},
};
use utoipa::ToSchema;

/// How far back a comparison may begin: what came in is known for so long.
const FARTHEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A source: how Supabase's REST interface is read.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletenessSource)]
pub struct Plan {
    /// The project's address: https, port 443, on the public internet.
    #[schema(example = "https://abcdefghijkl.supabase.co")]
    pub base_url: String,
    /// A key that may read the tables: a secret key, or the `service_role` key. Row level security hides rows from any
    /// other key without a word. Needed at first, and with another `base_url`; otherwise the one that is there stays.
    #[schema(value_type = Option<String>)]
    pub key: Option<SecretString>,
    /// What is read; `bookings` by `updated_at` and `booking_events` by `created_at` unless given.
    #[schema(value_type = Option<Vec<WatchedTable>>, min_items = 1, max_items = 4)]
    pub tables: Vec<Watched>,
    /// Rows that changed before are left alone, so that a beginning does not flood the endpoints: now unless given, and
    /// kept by later changes. At most 90 days ago. A change of it compares from there again, and counts nothing twice.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
}

/// A table that is read.
#[derive(ToSchema)]
#[schema(as = CompletenessTablePlan)]
#[expect(dead_code, reason = "describes the body; Plan::read reads it")]
pub struct WatchedTable {
    /// `bookings`, `booking_events`, `clients` or `providers`.
    table: String,
    /// The column that says when a row changed; `updated_at`, and `created_at` for `booking_events`, unless given.
    cursor_column: Option<String>,
    /// A unique column, in whose order rows come that changed at the same time; `id` unless given. Rows are known by their
    /// column `id` in any case.
    id_column: Option<String>,
}

impl Plan {
    /// All that is wrong with it at once.
    pub fn read(call: &Call, egress: &Egress, earlier: Option<&Source>) -> Result<Self> {
        let mut body = call.fields()?;
        let base_url = base_url(&mut body, egress);
        let key: Option<SecretString> = body.optional("key");
        let stays = earlier.is_some_and(|earlier| Some(&earlier.base_url) == base_url.as_ref());
        match &key {
            Some(key) if !is_key(key.expose_secret()) => {
                body.fault("key", "must have 1 to 2,048 visible ASCII characters")
            }
            None if !stays => body.fault("key", "is missing"),
            _ => {}
        }
        let usual = [BOOKINGS, BOOKING_EVENTS].map(|table| json!({ "table": table }));
        let given: Option<Vec<Value>> = body.or("tables", usual.into());
        let (tables, unfit) = given.map(tables).unwrap_or_default();
        let since: Option<Timestamp> = body.optional("since");
        let was = |since| earlier.is_some_and(|earlier| earlier.since == since);
        if since.is_some_and(|since| !was(since) && (since > call.now || since < call.now - FARTHEST)) {
            body.fault("since", "must be a time of the last 90 days");
        }
        let (plan, mut faults) = body.finish(|| Some(Self { base_url: base_url?, key, tables, since }));
        faults.extend(unfit);
        plan.filter(|_| faults.is_empty()).ok_or(Error::Invalid(faults))
    }
}

/// The address without what is always behind it.
fn base_url(body: &mut Fields, egress: &Egress) -> Option<String> {
    let given: String = body.required("base_url")?;
    let url = match egress.check(&given) {
        Ok(url) => url,
        Err(why) => {
            body.fault("base_url", why.to_string());
            return None;
        }
    };
    if url.query().is_some() || url.fragment().is_some() {
        body.fault("base_url", "must be an address without query or fragment");
        return None;
    }
    let text = url.as_str().trim_end_matches('/');
    Some(text.strip_suffix("/rest/v1").unwrap_or(text).to_owned())
}

fn is_key(text: &str) -> bool {
    (1..=2_048).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic())
}

/// The tables, and all that is wrong with them.
fn tables(given: Vec<Value>) -> (Vec<Watched>, Vec<Fault>) {
    if !(1..=TABLES.len()).contains(&given.len()) {
        return (Vec::new(), vec![Fault::at("/tables", "must be 1 to 4 tables")]);
    }
    let (mut tables, mut faults) = (Vec::new(), Vec::new());
    for (n, one) in given.into_iter().enumerate() {
        let Value::Object(object) = one else {
            faults.push(Fault::at(format!("/tables/{n}"), "must be an object"));
            continue;
        };
        let (watched, unfit) = table(Fields::new(object, format!("/tables/{n}")), &tables);
        tables.extend(watched);
        faults.extend(unfit);
    }
    (tables, faults)
}

fn table(mut fields: Fields, earlier: &[Watched]) -> (Option<Watched>, Vec<Fault>) {
    let table: Option<String> = fields.required("table");
    if table.as_ref().is_some_and(|table| !TABLES.contains(&table.as_str())) {
        fields.fault("table", "must be bookings, booking_events, clients or providers");
    } else if earlier.iter().any(|earlier| Some(&earlier.table) == table.as_ref()) {
        fields.fault("table", "is named twice");
    }
    let usual = if table.as_deref() == Some(BOOKING_EVENTS) { "created_at" } else { "updated_at" };
    let mut column = |name: &str, usual: &str| {
        let column: Option<String> = fields.or(name, usual.to_owned());
        if column.as_ref().is_some_and(|column| !is_column(column)) {
            fields.fault(name, "must be the name of a column: letters, digits and `_`, at most 63");
        }
        column
    };
    let (cursor_column, id_column) = (column("cursor_column", usual), column("id_column", "id"));
    fields.finish(|| Some(Watched { table: table?, cursor_column: cursor_column?, id_column: id_column? }))
}

/// A name that Postgres takes without quotes, whatever its case.
fn is_column(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}
