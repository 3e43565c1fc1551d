//! Lists that are read page by page, newest first.

pub(crate) use shared::cursor::Paging;
use shared::{
    Result,
    boot::{Aws, Missing},
    cursor,
    gate::Gate,
    http::Call,
    id::TenantId,
    key::Range,
    secrets::Vault,
    table::{Page, Row, Table},
};

/// For one page of a filtered list so many rows are read at a time, and so many times at most.
const PAGE: u16 = 100;
const MOST_PAGES: usize = 10;

/// What listing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// A list and what of it is wanted.
pub(crate) struct List<'a, E> {
    /// List and filters by name: what a cursor is bound to besides its tenant.
    pub(crate) name: String,
    /// The rows.
    pub(crate) range: Range<E>,
    /// Which of them are wanted; all, where nothing is left out.
    pub(crate) takes: Option<&'a (dyn Fn(&E) -> bool + Sync)>,
    /// The sort key of a row.
    pub(crate) place: fn(&E) -> String,
}

impl<E: Row> List<'_, E> {
    /// The rows of a page, and the cursor of the next one. A filtered page may hold fewer than asked for, and still have
    /// a next one: what it costs is bounded.
    pub(crate) async fn page(
        self,
        deps: &Deps,
        call: &Call,
        tenant: TenantId,
        paging: &Paging,
    ) -> Result<(Vec<E>, Option<String>)> {
        let keyring = deps.vault.keyring().await?;
        let after = match &paging.cursor {
            Some(cursor) => Some(cursor::read(&keyring, tenant, &self.name, cursor, call.now)?),
            None => None,
        };

        let (shown, more) = self.look(&deps.table, paging.limit, after).await?;

        let next = more.map(|after| cursor::write(&keyring, tenant, &self.name, &after, call.now)).transpose()?;
        Ok((shown, next))
    }

    /// The rows of a page, and the sort key behind which the next one begins.
    async fn look(&self, table: &Table, limit: u16, after: Option<String>) -> Result<(Vec<E>, Option<String>)> {
        let wanted = usize::from(limit);
        // What is filtered out is read in large pages, or a rare row would take a query for each other.
        let size = if self.takes.is_none() { limit } else { PAGE };
        let mut page = Page { limit: size, after, newest_first: true };
        let mut shown = Vec::new();
        for _ in 0..MOST_PAGES {
            let found = table.list(&self.range, page.clone()).await?;
            shown.extend(found.rows.into_iter().filter(|row| self.takes.is_none_or(|takes| takes(row))));
            if shown.len() > wanted {
                shown.truncate(wanted);
                let last = shown.last().map(self.place);
                return Ok((shown, last));
            }
            match found.more {
                Some(after) if shown.len() < wanted => page.after = Some(after),
                more => return Ok((shown, more)),
            }
        }
        Ok((shown, page.after))
    }
}
