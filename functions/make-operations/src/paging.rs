//! Lists that are read page by page.

use shared::{
    Result, cursor,
    http::{Call, Fields},
    id::TenantId,
    secrets::Keyring,
};

/// For one page of a filtered list so many rows are read at a time, and so many times at most.
pub const PAGE: u16 = 100;
/// See [`PAGE`].
pub const MOST_PAGES: usize = 10;

/// How much of a list is asked for, and from where.
pub struct Paging {
    /// At most so many.
    pub limit: u16,
    cursor: Option<String>,
}

impl Paging {
    /// The parameters `limit` and `cursor`.
    pub fn read(given: &mut Fields) -> Self {
        let limit = given.parsed::<u16>("limit").unwrap_or(25);
        if !(1..=100).contains(&limit) {
            given.fault("limit", "must be from 1 to 100");
        }
        Self { limit, cursor: given.optional("cursor") }
    }

    /// Behind which row the page begins. `list` names the list with its filters.
    pub fn after(&self, keyring: &Keyring, call: &Call, tenant: TenantId, list: &str) -> Result<Option<String>> {
        self.cursor.as_ref().map(|cursor| cursor::read(keyring, tenant, list, cursor, call.now)).transpose()
    }
}
