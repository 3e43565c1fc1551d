//! Pages, order and columns, as all of Make's lists know them: no `next`, only what was asked for.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Answer, Object, invalid};
use crate::standin::call::Fields;

/// How a list is sorted and cut unless the request says otherwise.
pub(super) struct Paging {
    pub(super) sort_by: &'static str,
    pub(super) descending: bool,
    pub(super) limit: usize,
    /// The columns of a list that is sparse; none of one that shows all.
    pub(super) columns: &'static [&'static str],
}

impl Paging {
    /// The page that is asked for, and what `pg` says of it.
    pub(super) fn cut(&self, mut items: Vec<Object>, query: &Fields) -> Result<(Vec<Value>, Value), Answer> {
        let offset = number(query, "pg[offset]")?.unwrap_or(0);
        let limit = number(query, "pg[limit]")?.unwrap_or(self.limit as i64);
        let [offset, limit] = [offset, limit].map(|number| usize::try_from(number).unwrap_or(0));
        let sort_by = query.find("pg[sortBy]").unwrap_or(self.sort_by);
        let descending = query.find("pg[sortDir]").map_or(self.descending, |direction| direction == "desc");

        items.sort_by(|a, b| {
            let order = compared(a.get(sort_by), b.get(sort_by));
            if descending { order.reverse() } else { order }
        });
        let total = items.len();
        let mut pg = json!({
            "sortBy": sort_by, "sortDir": if descending { "desc" } else { "asc" }, "limit": limit, "offset": offset,
        });
        if query.text("pg[returnTotalCount]") == "true" {
            pg["totalCount"] = total.into();
        }
        let page = items.into_iter().skip(offset).take(limit).map(|item| chosen(item, query, self.columns)).collect();
        Ok((page, pg))
    }
}

/// The columns that a request names, or else these; all of them if there are none.
pub(super) fn chosen(mut item: Object, query: &Fields, usual: &[&str]) -> Value {
    let named: Vec<&str> = query.iter().filter(|(name, _)| *name == "cols[]").map(|(_, column)| column).collect();
    let columns = if named.is_empty() { usual } else { &named[..] };
    if !columns.is_empty() && !columns.contains(&"*") {
        item.retain(|name, _| columns.contains(&name.as_str()));
    }
    Value::Object(item)
}

/// A number in the query.
pub(super) fn number(query: &Fields, name: &str) -> Result<Option<i64>, Answer> {
    let read = |text: &str| text.parse().map_err(|_| invalid("Invalid key, not parsable to integer", &[]));
    query.find(name).map(read).transpose()
}

fn compared(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
