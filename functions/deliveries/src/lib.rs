//! The delivery engine: from an accepted event to its outcome.
