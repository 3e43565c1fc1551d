//! One AWS call in an invocation: the first of a process, and later ones.

use serde_json::Value;

use crate::{
    Result,
    runtime_api::{Function, Program},
};

/// So many later calls of each process.
const LATER: usize = 50;

/// Milliseconds, as the code that waits sees them.
#[derive(Default)]
pub struct Calls {
    /// The first call of each process.
    pub first: Vec<f64>,
    /// All later ones.
    pub later: Vec<f64>,
}

/// Starts the probe so often and has it call.
pub fn measure(probe: &Program, rounds: usize) -> Result<Calls> {
    let mut calls = Calls::default();
    for _ in 0..rounds {
        let mut function = Function::start(probe)?;
        let mut call = || -> Result<f64> {
            let answer: Value = serde_json::from_slice(&function.invoke(b"{}")?.body)?;
            Ok(answer["us"].as_f64().ok_or("the probe timed nothing")? / 1e3)
        };
        calls.first.push(call()?);
        for _ in 0..LATER {
            calls.later.push(call()?);
        }
    }
    Ok(calls)
}
