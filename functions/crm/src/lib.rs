//! Connections to CRMs by OAuth.
