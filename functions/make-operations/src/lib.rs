//! Make.com usage: what scenarios used, cost and achieved.
