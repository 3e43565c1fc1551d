//! The use cases of this area, against a real table.

mod tenant;
