//! What went wrong on this machine, and what the person in front of it does next.

use std::fmt;

/// The result of anything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with the next step for the person who reads it.
#[derive(Debug)]
pub struct Error {
    what: String,
    next: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of our own.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), next: None, cause: None }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        if let Some(next) = &self.next {
            write!(f, "\n  -> {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// `what` names the attempt, as in "cannot read template.yaml".
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| Error { what: what.into(), next: None, cause: Some(error.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_attempt_the_cause_and_the_next_step() {
        let failed: Result<(), _> = Err(std::io::Error::other("disk full"));

        let error = failed.context("cannot write stack.json").unwrap_err().next("Free some space.");

        assert_eq!(error.to_string(), "cannot write stack.json: disk full\n  -> Free some space.");
    }
}
