//! End-to-end and contract tests; see `it/`.
