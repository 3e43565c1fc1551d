//! What a delivery allocates, told by a sender whose allocator counts.

use std::fs;

use serde_json::Value;

use crate::{
    Result,
    business::batch,
    runtime_api::{Function, Program},
};

/// Of one delivery, on average.
pub struct Allocated {
    /// Allocations.
    pub allocations: f64,
    /// Allocations that grew or shrank where they were.
    pub reallocations: f64,
    /// Bytes of all of them.
    pub bytes: f64,
    /// Bytes that were not given back by the end.
    pub kept: f64,
}

/// Delivers all messages, one after the other; the first tenth is not counted, it fills what stays.
pub fn measure(program: &Program, messages: &[Value]) -> Result<Allocated> {
    let mut function = Function::start(program)?;
    for message in messages {
        function.invoke(&batch(std::slice::from_ref(message)))?;
    }
    drop(function);
    let said = fs::read_to_string(program.logs.join(format!("{}.log", program.name)))?;
    let told: Vec<[f64; 4]> = said.lines().filter_map(|line| totals(line.strip_prefix("allocated ")?)).collect();
    if told.len() != messages.len() {
        return Err(format!("{} of {} deliveries told what they allocated", told.len(), messages.len()).into());
    }
    match &told[messages.len() / 10..] {
        [first, .., last] => {
            let count = (messages.len() - messages.len() / 10 - 1) as f64;
            let [allocations, reallocations, bytes, freed] = std::array::from_fn(|at| (last[at] - first[at]) / count);
            Ok(Allocated { allocations, reallocations, bytes, kept: bytes - freed })
        }
        _ => Err("too few deliveries to count what they allocate".into()),
    }
}

fn totals(text: &str) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = text.split(' ').map_while(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}
