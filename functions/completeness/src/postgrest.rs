//! Supabase's REST interface, which is PostgREST: rows of a table in the order of a cursor, page by page.
//!
//! Rules of the vendor (docs.postgrest.org, api and errors; supabase.com, REST API): the project's key goes both into
//! `apikey` and into `Authorization`; a server may return fewer rows than were asked for (`db-max-rows`), so only an
//! empty page is the end; a value inside `or=(…)` stands in double quotes; errors are `{code, message, details, hint}`
//! with a code of PostgREST (`PGRST…`) or of Postgres (five characters).

use std::collections::BTreeSet;

use http::header;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use shared::{
    booking::moment,
    egress::{Answered, Egress, Silence},
    raw::{Columns, columns},
    source::{Position, Watched},
};
use url::Url;

use crate::fault::{Fault, LONGEST};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A way to one project.
pub struct Postgrest<'a> {
    egress: &'a Egress,
    base: Url,
    key: SecretString,
}

/// A stretch of a table: what changed from one moment to another, both included, behind a row.
pub struct Stretch<'a> {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
    /// Behind this row, if behind any.
    pub behind: Option<&'a Position>,
}

/// A row, as the text that came.
#[derive(Debug)]
pub struct Found {
    /// All of it; of one that is too large to be read, its cursor and id alone.
    pub record: String,
    /// Where it stands in the order of its table.
    pub at: Position,
    /// Whether it is all there.
    pub whole: bool,
}

impl Stretch<'_> {
    /// That rows lie within it, in its order, and behind its row. Who gives others would have us read for ever, or
    /// tell of what is none of our business.
    fn holds(&self, table: &Watched, rows: &[Found]) -> Result<(), Fault> {
        let wrong = |why| Err(Fault::NotAsAsked(table.table.clone(), why));
        let mut before = self.behind.and_then(|last| time(&last.cursor));
        for row in rows {
            let at = row.time(table)?;
            // A day without a time is compared as a day.
            let from = if row.at.cursor.len() == "2026-12-01".len() { self.from - DAY } else { self.from };
            if at < from || at > self.to {
                return wrong("one changed at another time");
            }
            if before.is_some_and(|before| at < before) {
                return wrong("their times go backwards");
            }
            if self.behind == Some(&row.at) {
                return wrong("they begin again where they ended");
            }
            before = Some(at);
        }
        Ok(())
    }
}

impl Found {
    /// When it changed last.
    pub fn time(&self, table: &Watched) -> Result<Timestamp, Fault> {
        time(&self.at.cursor).ok_or_else(|| Fault::NotATime(table.table.clone(), table.cursor_column.clone()))
    }
}

fn time(cursor: &str) -> Option<Timestamp> {
    moment(&json!({ "at": cursor }), "at")
}

impl<'a> Postgrest<'a> {
    /// To the project at that address, with that key.
    pub fn new(egress: &'a Egress, base_url: &str, key: SecretString) -> Result<Self, Fault> {
        let base = egress.check(base_url).map_err(|why| Fault::Address(why.to_string()))?;
        Ok(Self { egress, base, key })
    }

    /// The next rows of a stretch, oldest change first; none where it ends. Fewer than there are, as few as one, where
    /// they are large.
    pub async fn page(&self, table: &Watched, stretch: &Stretch<'_>, most: u16) -> Result<Vec<Found>, Fault> {
        let mut limit = most;
        loop {
            match self.rows(table, "*", stretch, limit).await {
                Err(Fault::TooLarge) if limit > 1 => limit /= 2,
                Err(Fault::TooLarge) => break,
                rows => return rows,
            }
        }
        // One row alone is too large: it is named, so that it can be passed.
        let named = self.rows(table, &naming(table), stretch, 1).await?;
        Ok(named.into_iter().map(|row| Found { whole: false, ..row }).collect())
    }

    /// The row that changed last, if there is any: its id and cursor columns alone.
    pub async fn newest(&self, table: &Watched) -> Result<Option<Found>, Fault> {
        let Watched { cursor_column, id_column, .. } = table;
        let parameters = [
            ("select", naming(table)),
            ("order", format!("{cursor_column}.desc.nullslast,{id_column}.desc")),
            ("limit", "1".to_owned()),
        ];
        let body = self.get(table, &parameters).await?;
        Ok(read(table, &body, 1)?.pop())
    }

    /// Which of these rows are shown, by their column `id`.
    pub async fn shown(&self, table: &Watched, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, Fault> {
        let wanted: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
        let parameters = [("select", "id".to_owned()), ("id", format!("in.({})", wanted.join(",")))];
        let body = self.get(table, &parameters).await?;
        let rows: Vec<&RawValue> = serde_json::from_str(&body).map_err(|_| Fault::NoInterface)?;
        let shown: BTreeSet<String> = rows.iter().filter_map(|row| plain(&columns(row.get())?, "id")).collect();
        Ok(ids.intersection(&shown).cloned().collect())
    }

    async fn rows(
        &self,
        table: &Watched,
        select: &str,
        stretch: &Stretch<'_>,
        limit: u16,
    ) -> Result<Vec<Found>, Fault> {
        let Watched { cursor_column: cursor, id_column: id, .. } = table;
        let mut parameters = vec![
            ("select", select.to_owned()),
            (cursor.as_str(), format!("gte.{}", stretch.from)),
            (cursor.as_str(), format!("lte.{}", stretch.to)),
            ("order", format!("{cursor}.asc,{id}.asc")),
            ("limit", limit.to_string()),
        ];
        if let Some(last) = stretch.behind {
            let (at, row) = (quoted(&last.cursor), quoted(&last.id));
            parameters.push(("or", format!("({cursor}.gt.{at},and({cursor}.eq.{at},{id}.gt.{row}))")));
        }
        let body = self.get(table, &parameters).await?;
        let rows = read(table, &body, limit)?;
        stretch.holds(table, &rows)?;
        Ok(rows)
    }

    async fn get(&self, table: &Watched, parameters: &[(&str, String)]) -> Result<String, Fault> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Fault::Address("cannot have a path".into()))?.pop_if_empty().extend([
            "rest",
            "v1",
            &table.table,
        ]);
        url.query_pairs_mut().extend_pairs(parameters);
        let request = self
            .egress
            .get(&url)
            .map_err(|why| Fault::Address(why.to_string()))?
            .header("apikey", self.key.expose_secret())
            .bearer_auth(self.key.expose_secret())
            .header(header::ACCEPT, "application/json");
        let answer = self.egress.ask_up_to(request, LARGEST).await.map_err(|silence| match silence {
            Silence::Refused => Fault::Address("must lead to the public internet".into()),
            silence => Fault::Unreachable(silence),
        })?;
        match answer.status {
            200 | 206 if answer.body.len() >= LARGEST => Err(Fault::TooLarge),
            200 | 206 => Ok(answer.body),
            _ => Err(refusal(table, &answer)),
        }
    }
}

/// PostgREST's error body. The gateway in front of it sends `message` alone.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: Option<String>,
    message: Option<String>,
}

fn refusal(table: &Watched, answer: &Answered) -> Fault {
    let problem: Problem = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = problem.message.unwrap_or_default();
    match (answer.status, problem.code.as_deref().unwrap_or_default()) {
        (_, "PGRST205" | "42P01") => Fault::NoTable(table.table.clone()),
        (_, "42703") => {
            Fault::NoColumn(table.table.clone(), missing_column(&message).unwrap_or(&table.cursor_column).to_owned())
        }
        (_, "42501") => Fault::Forbidden(table.table.clone()),
        (_, "57014") => Fault::Slow(table.clone()),
        (400, "22007" | "22P02" | "42883") => Fault::NotATime(table.table.clone(), table.cursor_column.clone()),
        (401 | 403, _) => Fault::Key { status: answer.status, message },
        (404, "") => Fault::NoInterface,
        (429, _) => Fault::Busy { retry_after: answer.retry_after },
        (status, code) => Fault::Answered { status, code: code.to_owned(), message },
    }
}

/// Postgres's words: `column bookings.updated_at does not exist`.
fn missing_column(message: &str) -> Option<&str> {
    let (named, _) = message.strip_prefix("column ")?.split_once(" does not exist")?;
    Some(named.rsplit('.').next()?.trim_matches('"')).filter(|column| column.len() <= LONGEST)
}

/// The columns that name a row, each once.
fn naming(table: &Watched) -> String {
    let mut names = vec![table.cursor_column.as_str()];
    for name in [table.id_column.as_str(), "id"] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}

/// Reads a list of so many rows at most. One that breaks off was cut by the network.
fn read(table: &Watched, body: &str, most: u16) -> Result<Vec<Found>, Fault> {
    let broken = |why: serde_json::Error| match why.classify() {
        serde_json::error::Category::Eof | serde_json::error::Category::Io => Fault::Unreachable(Silence::Network),
        _ => Fault::NoInterface,
    };
    let rows: Vec<&RawValue> = serde_json::from_str(body).map_err(broken)?;
    if rows.len() > usize::from(most) {
        return Err(Fault::NotAsAsked(table.table.clone(), "they are too many"));
    }
    rows.into_iter()
        .map(|row| {
            let named = columns(row.get()).ok_or(Fault::NoInterface)?;
            let value = |column: &String| match plain(&named, column) {
                Some(value) if value.chars().count() > LONGEST => {
                    Err(Fault::TooLong(table.table.clone(), column.clone()))
                }
                Some(value) => Ok(value),
                None => Err(Fault::NoColumn(table.table.clone(), column.clone())),
            };
            let at = Position { cursor: value(&table.cursor_column)?, id: value(&table.id_column)? };
            Ok(Found { record: row.get().to_owned(), at, whole: true })
        })
        .collect()
}

/// What a column says, as it is written in a query: a text without its quotes, a number digit by digit.
fn plain(row: &Columns<'_>, column: &str) -> Option<String> {
    let text = row.get(column)?.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookings() -> Watched {
        Watched { table: "bookings".into(), cursor_column: "updated_at".into(), id_column: "id".into() }
    }

    fn answered(status: u16, body: &str) -> Fault {
        refusal(&bookings(), &Answered { status, retry_after: Some(7), body: body.into() })
    }

    #[test]
    fn a_refusal_is_told_by_name() {
        let names = [
            (401, r#"{"message":"Invalid API key"}"#),
            (401, r#"{"code":"PGRST301","message":"JWT expired"}"#),
            (403, r#"{"code":"42501","message":"permission denied for table bookings"}"#),
            (404, r#"{"code":"PGRST205","message":"Could not find the table 'public.bookings' in the schema cache"}"#),
            (404, r#"{"code":"42P01","message":"relation \"public.bookings\" does not exist"}"#),
            (404, "not found"),
            (400, r#"{"code":"42703","message":"column bookings.updated_at does not exist"}"#),
            (400, r#"{"code":"22007","message":"invalid input syntax for type timestamp with time zone"}"#),
            (429, ""),
            (500, r#"{"code":"57014","message":"canceling statement due to statement timeout"}"#),
            (503, r#"{"code":"PGRST002","message":"Could not query the database for the schema cache. Retrying."}"#),
            (502, "<html>"),
        ]
        .map(|(status, body)| answered(status, body).name());

        assert_eq!(
            names,
            [
                "key_refused",
                "key_refused",
                "forbidden_table",
                "unknown_table",
                "unknown_table",
                "no_rest_interface",
                "unknown_column",
                "not_a_time",
                "busy",
                "slow_query",
                "failed",
                "failed"
            ]
        );
    }

    #[test]
    fn rows_stay_the_text_that_came() {
        let rows = read(
            &bookings(),
            r#"[{"id":12345678901234567890,"price":120.50,"updated_at":"2026-12-01T09:30:00.1+00:00"}]"#,
            1,
        )
        .unwrap();

        assert_eq!(rows[0].at.id, "12345678901234567890");
        assert_eq!(rows[0].at.cursor, "2026-12-01T09:30:00.1+00:00");
        assert!(rows[0].record.contains("120.50"));
    }

    #[test]
    fn what_is_no_list_of_rows_is_said_to_be_none() {
        let names = |body: &str| read(&bookings(), body, 1).unwrap_err().name();
        assert_eq!(names(r#"[{"id":1,"updated_at":"2026-12-01T0"#), "unreachable", "it broke off");
        assert_eq!(names("<html>"), "no_rest_interface");
        assert_eq!(names(r#"{"id":1}"#), "no_rest_interface");
        assert_eq!(names("[5]"), "no_rest_interface");
        assert_eq!(names(r#"[{"id":1}]"#), "unknown_column");
        assert_eq!(names(r#"[{"id":1,"updated_at":null}]"#), "unknown_column");
    }

    #[test]
    fn rows_that_nobody_asked_for_are_refused() {
        let behind = Position { cursor: "2026-12-01T09:10:00+00:00".into(), id: "5".into() };
        let (from, to) = ("2026-12-01T09:00:00Z".parse().unwrap(), "2026-12-01T10:00:00Z".parse().unwrap());
        let stretch = Stretch { from, to, behind: Some(&behind) };
        let held = |rows: &[(&str, u32)]| {
            let found = rows.iter().map(|(at, id)| Found {
                record: "{}".into(),
                at: Position { cursor: (*at).into(), id: id.to_string() },
                whole: true,
            });
            stretch.holds(&bookings(), &found.collect::<Vec<_>>()).map_err(|fault| fault.to_string())
        };
        let refused = |why: &str| Err(format!("the rows of bookings are not those that were asked for: {why}"));

        assert_eq!(held(&[("2026-12-01T09:10:00+00:00", 6), ("2026-12-01T11:00:00+01:00", 1)]), Ok(()));
        assert_eq!(held(&[("2026-12-01T10:00:00.000001+00:00", 6)]), refused("one changed at another time"));
        assert_eq!(held(&[("2026-12-01T08:59:59.999999+00:00", 6)]), refused("one changed at another time"));
        assert_eq!(held(&[("2026-12-01T09:09:59+00:00", 6)]), refused("their times go backwards"));
        let backwards = [("2026-12-01T09:30:00+00:00", 6), ("2026-12-01T09:29:00+00:00", 7)];
        assert_eq!(held(&backwards), refused("their times go backwards"));
        assert_eq!(held(&[("2026-12-01T09:10:00+00:00", 5)]), refused("they begin again where they ended"));

        let days = Stretch { from, to, behind: None };
        let day = Position { cursor: "2026-12-01".into(), id: "1".into() };
        let row = Found { record: "{}".into(), at: day, whole: true };
        assert_eq!(days.holds(&bookings(), &[row]), Ok(()), "a day that has begun before");
    }

    #[test]
    fn more_rows_than_were_asked_for_are_refused() {
        let row = r#"{"id":1,"updated_at":"2026-12-01T09:30:00+00:00"}"#;
        assert_eq!(read(&bookings(), &format!("[{row},{row}]"), 1).unwrap_err().name(), "not_as_asked");
    }

    #[test]
    fn a_place_that_is_too_long_to_be_kept_is_refused() {
        let fault = |id: &str, at: &str| {
            read(&bookings(), &format!(r#"[{{"id":{id},"updated_at":"{at}"}}]"#), 1)
                .map(|_| ())
                .map_err(|why| why.name())
        };
        let (fits, long) = ("1".repeat(200), "1".repeat(201));
        assert_eq!(fault(&format!("\"{fits}\""), "2026-12-01T09:30:00Z"), Ok(()));
        assert_eq!(fault(&format!("\"{long}\""), "2026-12-01T09:30:00Z"), Err("value_too_long"));
        assert_eq!(fault(&long, "2026-12-01T09:30:00Z"), Err("value_too_long"), "a number as well");
        assert_eq!(fault("1", &long), Err("value_too_long"));

        let message = format!(r#"{{"code":"42703","message":"column {} does not exist"}}"#, "x".repeat(5_000));
        assert!(answered(400, &message).to_string().len() < 300, "nor is it kept in words");
    }

    #[test]
    fn values_are_quoted_in_a_tree() {
        assert_eq!(quoted(r#"a,"b")\"#), r#""a,\"b\")\\""#);
    }
}
