//! The use cases of this area, against a real table.
#![cfg(test)]

mod advice;
mod allowance;
mod backtest;
mod forecast;
mod world;
