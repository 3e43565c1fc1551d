//! What the tests of the whole hold against each other: the template, the API's document, the binaries, the samples.

pub mod document;
pub mod template;

/// The top of the repository.
pub fn top() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}
