//! Facts that stand in several places, held against each other. None of these needs anything to run.

#![cfg(test)]

mod repository;
mod routes;
mod rules;
