//! The use cases of this area, against a real table.

mod health;
mod receive;
