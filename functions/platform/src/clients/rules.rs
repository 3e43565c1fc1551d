//! What holds for the fields of a client, whether it is made or changed.

use shared::{Error, http::Fields, tenant::is_slug};

/// Notes what is wrong with a name, or cleans it.
pub fn name(body: &mut Fields, name: Option<String>) -> Option<String> {
    let name = name?.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
        body.fault("name", "must have 1 to 100 characters");
        return None;
    }
    Some(name)
}

/// Notes what is wrong with a slug.
pub fn slug(body: &mut Fields, slug: Option<String>) -> Option<String> {
    let slug = slug?;
    if !is_slug(&slug) {
        body.fault("slug", "must have 1 to 63 of a to z, 0 to 9 and -");
        return None;
    }
    Some(slug)
}

/// Somebody else has it.
pub fn taken() -> Error {
    Error::conflict("another client of this tenant has this slug")
}
