//! Warm invocations: CPU, time and memory.

use serde_json::Value;

use crate::{
    Result,
    runtime_api::{Function, Program},
    sample::{median, mib, ms, us},
};

/// Calls before anything counts.
const WARM_UP: usize = 200;

/// What one invocation of a running process costs.
pub struct Warm {
    /// Microseconds of CPU, one value for each block of calls.
    pub cpu: Vec<f64>,
    /// Milliseconds from event to answer, of every call.
    pub took: Vec<f64>,
    /// MiB after the first 200 calls.
    pub memory: f64,
}

impl Warm {
    /// Microseconds of CPU: the middle of its blocks.
    pub fn cpu(&self) -> f64 {
        median(&self.cpu)
    }
}

/// Calls all programs so often, in blocks that take turns. `is_right` looks at every answer.
pub fn measure(
    programs: &[Program],
    mut event: impl FnMut() -> Vec<u8>,
    is_right: impl Fn(&Value) -> bool,
    (blocks, calls): (usize, usize),
) -> Result<Vec<Warm>> {
    let mut seen = Vec::new();
    let mut functions = Vec::new();
    for program in programs {
        let mut function = Function::start(program)?;
        for _ in 0..WARM_UP {
            let answer = function.invoke(&event())?;
            let value = serde_json::from_slice(&answer.body)?;
            if !is_right(&value) {
                return Err(format!("{} answered {value}", program.name).into());
            }
        }
        let memory = mib(function.memory()?);
        seen.push(Warm { cpu: Vec::new(), took: Vec::new(), memory });
        functions.push(function);
    }
    for _ in 0..blocks {
        for (function, warm) in functions.iter_mut().zip(&mut seen) {
            let before = function.cpu()?;
            for _ in 0..calls {
                warm.took.push(ms(function.invoke(&event())?.took));
            }
            warm.cpu.push(us(function.cpu()?.saturating_sub(before)) / calls as f64);
        }
    }
    Ok(seen)
}
