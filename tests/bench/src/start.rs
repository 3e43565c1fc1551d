//! Cold starts: from the start of a process to its first poll, and its first event.

use crate::{
    Result,
    runtime_api::{Function, Program},
    sample::{mib, ms},
};

/// What is started again and again.
pub struct Variant<'a> {
    /// What is started.
    pub program: Program,
    /// Makes its first event, where it gets one.
    pub first: Option<Box<dyn Fn() -> Vec<u8> + 'a>>,
}

/// What was seen of one variant, a value for each start.
#[derive(Default)]
pub struct Starts {
    /// Milliseconds to the first poll.
    pub init: Vec<f64>,
    /// Milliseconds of CPU by then.
    pub cpu: Vec<f64>,
    /// MiB of memory by then.
    pub memory: Vec<f64>,
    /// Milliseconds from the first event to its answer.
    pub first: Vec<f64>,
}

/// Starts each so often, forwards and backwards in turn, so that whatever else the machine does falls on all alike.
pub fn measure(variants: &[Variant<'_>], rounds: usize) -> Result<Vec<Starts>> {
    let mut seen: Vec<Starts> = variants.iter().map(|_| Starts::default()).collect();
    // One more for the page cache, which is not counted.
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..variants.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let (variant, starts) = (&variants[at], &mut seen[at]);
            let mut function = Function::start(&variant.program)?;
            if round == 0 {
                continue;
            }
            starts.init.push(ms(function.init));
            starts.cpu.push(ms(function.cpu()?));
            starts.memory.push(mib(function.memory()?));
            if let Some(first) = &variant.first {
                starts.first.push(ms(function.invoke(&first())?.took));
            }
        }
    }
    Ok(seen)
}
