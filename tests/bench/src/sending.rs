//! How fast one process delivers, and how much memory that takes.

use std::time::Instant;

use serde_json::Value;

use crate::{
    Result,
    business::batch,
    cloud::Cloud,
    process::{self, Aside},
    runtime_api::{Function, Program},
    sample::{mib, us},
};

/// What was seen.
pub struct Sent {
    /// Deliveries a second, from the first event handed over to the last answer.
    pub whole_rate: f64,
    /// The same without the tenth at either end, where fewer are under way.
    pub middle_rate: f64,
    /// Microseconds of CPU of one.
    pub cpu: f64,
    /// Microseconds of CPU that the table, TLS and the receiver took for it.
    pub around: f64,
    /// MiB at the end.
    pub memory: f64,
    /// Whether the process had a core of its own, and this one kept off it.
    pub alone: bool,
}

/// Delivers all messages in batches of that size; the first is not counted, it opens the connections.
pub fn measure(cloud: &Cloud, program: &Program, messages: &[Value], size: usize, one_core: bool) -> Result<Sent> {
    let aside = one_core.then(Aside::step).flatten();
    let mut program = program.clone();
    if let Some(aside) = &aside {
        let (taskset, arguments) = aside.first_core();
        let function = std::mem::replace(&mut program.path, taskset);
        program
            .arguments
            .splice(0..0, arguments.map(str::to_owned).into_iter().chain([function.display().to_string()]));
    }
    let mut function = Function::start(&program)?;
    cloud.received();

    let mut batches = messages.chunks(size);
    deliver(&mut function, batches.next().unwrap_or_default())?;
    let first = cloud.received().len();
    let around = || process::cpu(std::process::id());
    let (before, around_before, began) = (function.cpu()?, around()?, Instant::now());
    let mut count = 0;
    for messages in batches {
        deliver(&mut function, messages)?;
        count += messages.len();
    }
    let took = began.elapsed();
    let cpu = function.cpu()?.saturating_sub(before);
    let around = around()?.saturating_sub(around_before);
    let received = cloud.received();
    if first + received.len() != messages.len() {
        return Err(format!("{} of {} deliveries arrived", first + received.len(), messages.len()).into());
    }
    Ok(Sent {
        whole_rate: count as f64 / took.as_secs_f64(),
        middle_rate: middle(&received),
        cpu: us(cpu) / count as f64,
        around: us(around) / count as f64,
        memory: mib(function.memory()?),
        alone: aside.is_some(),
    })
}

/// Arrivals a second, without the tenth at either end.
fn middle(received: &[Instant]) -> f64 {
    let end = received.len() / 10;
    match &received[end..received.len() - end] {
        [first, .., last] => (received.len() - 2 * end - 1) as f64 / last.duration_since(*first).as_secs_f64(),
        _ => f64::NAN,
    }
}

fn deliver(function: &mut Function, messages: &[Value]) -> Result<()> {
    let answer: Value = serde_json::from_slice(&function.invoke(&batch(messages))?.body)?;
    match answer["batchItemFailures"].as_array() {
        Some(failed) if failed.is_empty() => Ok(()),
        _ => Err(format!("a batch came back: {answer}").into()),
    }
}
