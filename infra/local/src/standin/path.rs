//! A path as the control interface names it: exact, or the beginning of many when it ends in `*`.

/// Says which requests something is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern(String);

impl PathPattern {
    /// `/hook.eu1.make.com/abc`, or `/hook.eu1.make.com/*`, or `*` for everything.
    pub(super) fn new(text: &str) -> Self {
        if text == "*" || text.starts_with('/') { Self(text.into()) } else { Self(format!("/{text}")) }
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == self.0,
        }
    }

    /// Orders patterns from the most exact to the widest.
    pub(super) fn width(&self) -> (bool, usize) {
        (self.0.ends_with('*'), usize::MAX - self.0.len())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_exact_unless_it_ends_in_a_star() {
        let exact = PathPattern::new("/hook.eu1.make.com/abc");
        let prefix = PathPattern::new("hook.eu1.make.com/*");

        assert!(exact.matches("/hook.eu1.make.com/abc"));
        assert!(!exact.matches("/hook.eu1.make.com/abcd"));
        assert!(prefix.matches("/hook.eu1.make.com/abcd"));
        assert!(!prefix.matches("/accounts.zoho.com/oauth/v2/auth"));
        assert!(PathPattern::new("*").matches("/anything"));
        assert!(exact.width() < prefix.width());
        assert!(prefix.width() < PathPattern::new("*").width());
    }
}
