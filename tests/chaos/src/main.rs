//! Ten thousand booking events through everything that goes wrong at once, and the judgement of what came of them.
//! README.md beside this tells how.

mod business;
mod dice;
mod evidence;
mod judge;
mod killer;
mod patience;
mod receiver;
mod report;
mod run;
mod sender;
mod show;
mod stage;
#[cfg(test)]
mod tests;
mod watcher;
#[path = "../../bench/src/way.rs"]
mod way;
mod weather;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;

/// What may go wrong with the run itself: anything, and then it ends.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Sends booking events through the local stack while the receiver fails, is down and is closed, functions are killed
/// and everything comes twice; then judges whether anything was lost, doubled or put out of order. The exit code is 1
/// when a judgement fails.
#[derive(Parser)]
#[command(name = "cargo chaos")]
pub struct Options {
    /// How many changes of bookings
    #[arg(long, default_value_t = 10_000, value_parser = number)]
    events: usize,
    /// 1,000 of them
    #[arg(long, conflicts_with = "events")]
    quick: bool,
    /// How many requests to the receiver fail, from 0 to 0.9
    #[arg(long, default_value_t = 0.3, value_parser = share)]
    fail: f64,
    /// What repeats the changes and the receiver's failures of a run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write figures and judgement as JSON into this file, too
    #[arg(long)]
    json: Option<PathBuf>,
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (100..=100_000).contains(n)).ok_or_else(|| "must be from 100 to 100000".into())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=0.9).contains(share)).ok_or_else(|| "must be from 0 to 0.9".into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        options.events = 1_000;
    }
    match judged(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run broke off: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything is as it must be.
async fn judged(options: &Options) -> Result<bool> {
    println!("cargo chaos --events {} --fail {} --seed {}", options.events, options.fail, options.seed);
    let way = way::measure().await?;
    let outcome = run::all(options).await?;
    let report = report::Report::of(options, &outcome, &way, judge::all(&outcome.evidence));
    println!("{}", report.text());
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_vec_pretty(&report.json())?)?;
    }
    Ok(report.holds())
}
