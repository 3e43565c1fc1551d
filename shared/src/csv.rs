//! Comma-separated values, as a spreadsheet takes them for what they are.

use csv::{Terminator, WriterBuilder};

use crate::error::{Error, Result};

/// What people have written, as no spreadsheet takes it for a formula (owasp.org, CSV injection). Not for numbers: a negative
/// one is to stay one.
pub fn harmless(field: String) -> String {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { field }
}

/// The lines, each ended by CR LF (RFC 4180, section 2).
pub fn lines<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|cause| Error::internal("a line of CSV", cause))?;
    }
    writer.into_inner().map_err(|cause| Error::internal("CSV", cause.into_error()))
}
