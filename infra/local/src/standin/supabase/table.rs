//! A table: its columns, its rows by their primary key `id`, and what a query finds in it.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Failure, Operation, RowChange,
    query::{Comparison, Condition, Query, Test},
    value::{Key, Kind, jsonb, printed},
};

/// The primary key, and the column that every change sets to its time.
const ID: &str = "id";
const TOUCHED: &str = "updated_at";

#[derive(Clone, Default)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: BTreeMap<String, Row>,
}

#[derive(Clone)]
struct Column {
    name: String,
    /// Unknown as long as all its values are null.
    kind: Option<Kind>,
    declared: bool,
}

/// A row's values by column; what is absent is null.
pub(super) type Row = BTreeMap<String, Value>;

/// One row before and after.
pub(super) struct Changed {
    pub(super) before: Option<Row>,
    pub(super) after: Option<Row>,
}

/// What a query found: a page of it, and how much there is.
pub(super) struct Found {
    pub(super) json: String,
    pub(super) rows: usize,
    pub(super) total: usize,
}

impl Table {
    /// A table with these columns and no others.
    pub(super) fn declared(columns: &BTreeMap<String, String>) -> Result<Self, String> {
        let column = |(name, kind): (&String, &String)| {
            Ok(Column { name: name.clone(), kind: Some(Kind::named(kind)?), declared: true })
        };
        Ok(Self { columns: columns.iter().map(column).collect::<Result<_, String>>()?, rows: BTreeMap::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Carries out one change at a time that its whole transaction shares.
    pub(super) fn change(&mut self, change: RowChange, now: Timestamp) -> Result<Changed, String> {
        let RowChange { operation, mut record, table } = change;
        if operation == Operation::Insert && !record.contains_key(ID) {
            record.insert(ID.into(), Uuid::new_v4().to_string().into());
        }
        let touched = self.is_open() || self.column(TOUCHED).is_some();
        if operation != Operation::Delete && touched && !record.contains_key(TOUCHED) {
            record.insert(TOUCHED.into(), printed(now).into());
        }
        let row = self.stored(record)?;
        let id = row.get(ID).filter(|id| !id.is_null()).map(Value::to_string).ok_or("a record has an `id`")?;

        let before = self.rows.get(&id).cloned();
        let after = match (operation, &before) {
            (Operation::Insert, Some(_)) => return Err(format!("`{table}` has a row {id} already")),
            (Operation::Update | Operation::Delete, None) => return Err(format!("`{table}` has no row {id}")),
            (Operation::Insert, None) => Some(row),
            (Operation::Update, Some(before)) => Some(before.clone().into_iter().chain(row).collect()),
            (Operation::Delete, Some(_)) => None,
        };
        match &after {
            Some(after) => self.rows.insert(id, after.clone()),
            None => self.rows.remove(&id),
        };
        Ok(Changed { before, after })
    }

    /// The record in its columns' form; a table that was not declared takes on the columns it needs.
    fn stored(&mut self, record: Map<String, Value>) -> Result<Row, String> {
        let open = self.is_open();
        let mut row = Row::new();
        for (name, value) in record {
            let found = self.columns.iter().position(|column| column.name == name);
            let at = match found {
                Some(at) => at,
                None if open => {
                    self.columns.push(Column { name: name.clone(), kind: None, declared: false });
                    self.columns.len() - 1
                }
                None => return Err(format!("there is no column `{name}`")),
            };
            let column = &mut self.columns[at];
            let kind = match column.kind.or_else(|| Kind::of(&value)) {
                None => Kind::Text,
                Some(kind) => *column.kind.insert(kind),
            };
            let stored = match kind.store(value.clone()) {
                Ok(stored) => stored,
                // What was only guessed from the first value gives way.
                Err(_) if !column.declared => {
                    let wider = if kind == Kind::Bigint && value.is_number() { Kind::Numeric } else { Kind::Text };
                    column.kind = Some(wider);
                    wider.store(value).map_err(|bad| bad.message)?
                }
                Err(bad) => return Err(bad.message),
            };
            row.insert(name, stored);
        }
        Ok(row)
    }

    fn is_open(&self) -> bool {
        !self.columns.iter().any(|column| column.declared)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn known(&self, table: &str, name: &str) -> Result<Kind, Failure> {
        let column = self
            .column(name)
            .ok_or_else(|| Failure::new(400, "42703", &format!("column {table}.{name} does not exist"), None))?;
        Ok(column.kind.unwrap_or(Kind::Text))
    }

    // ── reading ──────────────────────────────────────────────────────────────

    /// The page of rows that a query asks for, at most `max_rows` of them.
    pub(super) fn select(&self, name: &str, query: &Query, max_rows: usize) -> Result<Found, Failure> {
        let columns: Vec<&str> = match &query.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => self.columns.iter().map(|column| column.name.as_str()).collect(),
        };
        for column in &columns {
            self.known(name, column)?;
        }
        let filter = Condition::All(query.conditions.clone());
        let filter = self.prepared(name, &filter)?;
        // What a query does not order has no order at all: whoever relies on one finds the wrong one here.
        let mut found: Vec<&Row> = self.rows.values().rev().filter(|row| filter.holds(row) == Some(true)).collect();
        let order: Vec<(Kind, _)> = query
            .order
            .iter()
            .map(|order| Ok((self.known(name, &order.column)?, order)))
            .collect::<Result<_, Failure>>()?;
        found.sort_by_cached_key(|row| {
            let keys = order.iter().map(|(kind, order)| Placed {
                key: row.get(&order.column).and_then(|value| kind.key_of(value)),
                descending: order.descending,
                nulls_first: order.nulls_first,
            });
            keys.collect::<Vec<_>>()
        });

        let total = found.len();
        let most = query.limit.unwrap_or(usize::MAX).min(max_rows);
        let page: Vec<String> =
            found.into_iter().skip(query.offset).take(most).map(|row| self.plain(row, &columns)).collect();
        Ok(Found { rows: page.len(), json: format!("[{}]", page.join(", \n ")), total })
    }

    /// A row as `row_to_json` prints it: columns in their order, no spaces.
    fn plain(&self, row: &Row, columns: &[&str]) -> String {
        let mut out = String::from("{");
        for (at, name) in columns.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            out.push_str(&Value::from(*name).to_string());
            out.push(':');
            self.print(row, name, &mut out);
        }
        out.push('}');
        out
    }

    fn print(&self, row: &Row, name: &str, out: &mut String) {
        let kind = self.column(name).and_then(|column| column.kind).unwrap_or(Kind::Text);
        kind.print(row.get(name).unwrap_or(&Value::Null), out);
    }

    /// A row with all its columns as `jsonb` prints it.
    pub(super) fn jsonb(&self, row: Option<&Row>) -> String {
        let Some(row) = row else { return "null".into() };
        let mut names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_by_key(|name| (name.len(), name.as_bytes()));
        let mut out = String::from("{");
        for (at, name) in names.into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            jsonb(&name.into(), &mut out);
            out.push_str(": ");
            self.print(row, name, &mut out);
        }
        out.push('}');
        out
    }

    fn prepared(&self, table: &str, condition: &Condition) -> Result<Filter, Failure> {
        let each = |conditions: &[Condition]| -> Result<Vec<Filter>, Failure> {
            conditions.iter().map(|one| self.prepared(table, one)).collect()
        };
        Ok(match condition {
            Condition::All(conditions) => Filter::All(each(conditions)?),
            Condition::Any(conditions) => Filter::Any(each(conditions)?),
            Condition::Not(condition) => Filter::Not(Box::new(self.prepared(table, condition)?)),
            Condition::Test { column, test } => {
                let kind = self.known(table, column)?;
                let key = |text: &String| kind.key(text).map_err(|bad| Failure::new(400, bad.code, &bad.message, None));
                let test = match test {
                    Test::Is(is) => Prepared::Is(*is),
                    Test::In(values) => Prepared::In(values.iter().map(key).collect::<Result<_, _>>()?),
                    Test::Compare(comparison, value) => Prepared::Compare(*comparison, key(value)?),
                };
                Filter::Test { column: column.clone(), kind, test }
            }
        })
    }
}

/// A condition whose values are of their columns' types.
enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test { column: String, kind: Kind, test: Prepared },
}

enum Prepared {
    Compare(Comparison, Key),
    In(Vec<Key>),
    Is(Option<bool>),
}

impl Filter {
    /// True, false, or SQL's unknown, which is what every comparison with a null is.
    fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Filter::All(filters) => all(filters.iter().map(|filter| filter.holds(row))),
            Filter::Any(filters) => all(filters.iter().map(|filter| filter.holds(row).map(|is| !is))).map(|none| !none),
            Filter::Not(filter) => filter.holds(row).map(|is| !is),
            Filter::Test { column, kind, test } => {
                let value = row.get(column).and_then(|value| kind.key_of(value));
                match test {
                    Prepared::Is(None) => Some(value.is_none()),
                    Prepared::Is(Some(is)) => Some(value == Some(Key::Boolean(*is))),
                    Prepared::In(keys) => value.map(|value| keys.contains(&value)),
                    Prepared::Compare(comparison, key) => value.map(|value| comparison.holds(value.order(key))),
                }
            }
        }
    }
}

/// SQL's AND.
fn all(each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut so_far = Some(true);
    for one in each {
        match one {
            Some(false) => return Some(false),
            None => so_far = None,
            Some(true) => {}
        }
    }
    so_far
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::Unequal => order.is_ne(),
            Comparison::Greater => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
            Comparison::Less => order.is_lt(),
            Comparison::AtMost => order.is_le(),
        }
    }
}

/// A value's place in an order.
#[derive(PartialEq)]
struct Placed {
    key: Option<Key>,
    descending: bool,
    nulls_first: bool,
}

impl Eq for Placed {}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.key, &other.key) {
            (Some(a), Some(b)) if self.descending => b.order(a),
            (Some(a), Some(b)) => a.order(b),
            (None, None) => Ordering::Equal,
            (None, Some(_)) if self.nulls_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if self.nulls_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        }
    }
}
