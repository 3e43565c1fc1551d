//! Booking events: in from the database, and the health of what leaves.
