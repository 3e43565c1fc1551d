//! What the functions cost, measured in one run beside yardsticks. README.md beside this says how.

mod allocations;
mod binaries;
mod business;
mod call;
mod cloud;
mod cost;
mod dashboard;
mod figures;
mod histogram;
mod node;
mod process;
mod report;
mod runtime_api;
mod sample;
mod sending;
mod start;
mod tls;
mod warm;
mod way;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;

/// What may go wrong: anything, and then the benchmark ends.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures start, memory, size, capacity units and throughput of the functions, beside an empty `lambda_http` function
/// and the same handler in Node. Ends with a table; the exit code is 1 when a budget is missed.
#[derive(Parser)]
#[command(name = "cargo figures")]
pub struct Options {
    /// Fewer repetitions: to see whether something is badly off
    #[arg(long)]
    quick: bool,
    /// Measure the binaries that are there, whatever has changed since they were built
    #[arg(long)]
    no_build: bool,
    /// Build every function, list all sizes, and take the largest for the heaviest (the better part of an hour)
    #[arg(long)]
    all: bool,
    /// Write the table as JSON into this file, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the benchmark broke off: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every budget is kept.
fn run(options: &Options) -> Result<bool> {
    let report = figures::take(options)?;
    println!("\n{}", report.text());
    if let Some(file) = &options.json {
        fs::write(file, report.json()?)?;
    }
    Ok(report.is_kept())
}
