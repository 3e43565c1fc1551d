//! Lines as they are stored: text that is never changed, named by its digest.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    scenario::Owner,
    statement::{Line, Month, Part},
    table::Table,
};

/// A row holds 400 kB.
const LARGEST: usize = 200_000;

/// Lines on their way to the table.
pub struct Written {
    texts: Vec<String>,
    /// How many there are.
    pub lines: u32,
    /// SHA-256 of all of them.
    pub sha256: String,
}

/// Lines as text.
pub fn write(lines: &[Line]) -> Result<Written> {
    let mut texts = vec![String::new()];
    for line in lines {
        let line = serde_json::to_string(line).map_err(|cause| Error::internal("a line does not serialize", cause))?;
        if texts.last().is_some_and(|text| !text.is_empty() && text.len() + line.len() >= LARGEST) {
            texts.push(String::new());
        }
        if let Some(text) = texts.last_mut() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let sha256 = digest(texts.iter().map(String::as_str));
    Ok(Written { texts, lines: u32::try_from(lines.len()).unwrap_or(u32::MAX), sha256 })
}

impl Written {
    /// Its parts.
    pub fn parts(&self, tenant: TenantId, owner: Owner, month: Month) -> Vec<Part> {
        let part = |(nth, text): (u32, &String)| {
            let (sha256, text) = (self.sha256.clone(), text.clone());
            Part { tenant, owner, month, sha256, nth, text }
        };
        (0..).zip(&self.texts).map(part).collect()
    }

    /// Stores it. What is there already is the same.
    pub async fn store(&self, table: &Table, tenant: TenantId, owner: Owner, month: Month) -> Result<()> {
        for part in self.parts(tenant, owner, month) {
            table.create(&part).await?;
        }
        Ok(())
    }
}

/// The lines that a digest names. It is an error where they are not what was written.
pub async fn read(table: &Table, tenant: TenantId, owner: Owner, month: Month, sha256: &str) -> Result<Vec<Line>> {
    let parts = table.list_all(&key::statement_parts(tenant, owner, month, sha256)).await?;
    if digest(parts.iter().map(|part| part.text.as_str())) != sha256 {
        return Err(Error::internal("the lines of a statement are not those that were written", sha256.to_owned()));
    }
    let lines = parts.iter().flat_map(|part| part.text.lines());
    lines
        .map(|line| serde_json::from_str(line).map_err(|cause| Error::internal("a line cannot be read", cause)))
        .collect()
}

/// SHA-256 of texts, one behind the other.
pub fn digest<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut hash = Sha256::new();
    texts.for_each(|text| hash.update(text.as_bytes()));
    HEXLOWER.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use shared::{
        statement::{Basis, Figures, Matter},
        testing::table,
    };

    use super::*;

    #[tokio::test]
    async fn thousands_of_lines_are_several_rows_and_one_digest() {
        let (table, tenant, month) = (table().await.consistent(), TenantId::new(), "2026-10".parse().unwrap());
        let line = |n: u32| Line {
            matter: Matter {
                from: date(2026, 10, 1),
                to: date(2026, 10, 31),
                by_id: true,
                scenario: n.to_string(),
                basis: Basis::Stated,
            },
            name: "n".repeat(200),
            figures: Figures { operations: n.into(), ..Figures::default() },
        };
        let lines: Vec<_> = (0..2_000).map(line).collect();
        let written = write(&lines).unwrap();
        let parts = written.parts(tenant, Owner::Company, month);
        assert!(parts.len() > 3 && parts.iter().all(|part| part.text.len() <= LARGEST));

        // Killed behind the first one, and done again.
        table.create(&parts[0]).await.unwrap();
        assert!(read(&table, tenant, Owner::Company, month, &written.sha256).await.is_err(), "it is not all there");
        written.store(&table, tenant, Owner::Company, month).await.unwrap();
        assert_eq!(read(&table, tenant, Owner::Company, month, &written.sha256).await.unwrap(), lines);

        table.put(&Part { text: "{}\n".into(), ..parts[1].clone() }).await.unwrap();
        assert!(read(&table, tenant, Owner::Company, month, &written.sha256).await.is_err(), "somebody changed it");
    }
}
