//! Scenarios of Make.com: listed as soon as they are heard of, and mapped by people.

pub mod get;
pub mod list;
pub mod map;
mod shown;

use shared::{Error, Result, http::Call, scenario::Scenario, table::Row};

/// For one page of a filtered list so many rows are read at a time, and so many times at most.
pub(crate) const PAGE: u16 = 100;
/// See [`PAGE`].
pub(crate) const MOST_PAGES: usize = 10;

/// The scenario that the path names. What cannot be an id is answered like what does not exist.
fn named(call: &Call) -> Result<String> {
    let id: String = call.part("id", Scenario::KIND)?;
    if is_id(&id) { Ok(id) } else { Err(Error::NotFound { kind: Scenario::KIND }) }
}

/// What was heard of has 1 to 128 characters.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.chars().count())
}
