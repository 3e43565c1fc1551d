//! `cargo run -p local`: the whole stack on this machine.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use local::{
    binaries, deploy,
    error::{Context, Error, Result},
    paths,
    progress::Progress,
    python::Python,
    seed::Tenant,
    stack::{self, Description, Options, Stack},
    template::Template,
    watch::Watch,
};

/// Runs Crossdock on this machine: template.yaml deployed to an AWS emulator, with a stand-in for
/// Make.com and the CRMs, and demo tenants. Stays up until Ctrl-C; the data is kept for next time.
#[derive(Parser)]
#[command(
    name = "local",
    after_help = "The API listens on port 3000, the emulator on 3001, the stand-in on 3002; \
                  CROSSDOCK_PORT=4000 moves all three and gives them a folder of their own.\n\
                  What is where, machine-readable: target/local/stack.json."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Build and put the changed functions into the running stack
    Deploy,
    /// Print a fresh id token of the running stack: agent, supervisor, owner or admin
    Token {
        /// Whose token
        role: String,
        /// Which tenant, counted from 1
        #[arg(long, default_value_t = 1)]
        tenant: usize,
    },
    /// Print what a shell needs to talk to the running stack: eval "$(cargo run -q -p local -- env)"
    Env {
        /// Which tenant, counted from 1
        #[arg(long, default_value_t = 1)]
        tenant: usize,
    },
    /// Invoke a function of the running stack and print its answer
    Invoke {
        /// Logical id, as in template.yaml, or binary name
        function: String,
        /// The event, as in events/
        event: PathBuf,
    },
    /// Check template.yaml as SAM and cfn-lint see it
    Lint,
    /// Forget all data of the stack; the next start begins anew
    Reset,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Option<Command>) -> Result<()> {
    match command {
        None => up().await,
        Some(Command::Deploy) => deploy_changed().await,
        Some(Command::Token { role, tenant }) => token(&role, tenant).await,
        Some(Command::Env { tenant }) => environment(tenant).await,
        Some(Command::Invoke { function, event }) => invoke(&function, &event).await,
        Some(Command::Lint) => lint().await,
        Some(Command::Reset) => reset(),
    }
}

/// The stack that a command is about.
fn running() -> Result<Description> {
    Description::of_running(named_port()?)
}

fn first_port() -> Result<u16> {
    Ok(named_port()?.unwrap_or(3000))
}

fn named_port() -> Result<Option<u16>> {
    let Ok(text) = std::env::var("CROSSDOCK_PORT") else {
        return Ok(None);
    };
    text.parse()
        .ok()
        .filter(|port| (1..=u16::MAX - 2).contains(port))
        .map(Some)
        .ok_or_else(|| Error::new(format!("CROSSDOCK_PORT is {text}")).next("A port number, please."))
}

async fn up() -> Result<()> {
    let port = first_port()?;
    let home = stack::home_of(port)?;
    let progress = Progress::new();
    let begun = std::time::Instant::now();
    let stopped = tokio::signal::ctrl_c();
    tokio::pin!(stopped);
    let stack = tokio::select! {
        started = Stack::start(Options::demo(home, port), &progress) => started?,
        _ = &mut stopped => return Err(Error::new("interrupted before the stack was up")),
    };
    let invocations = stack.invocations().follow();
    let description = stack.description();
    println!("{}", summary(description, begun.elapsed().as_secs_f64()));
    let watch = Watch::new(description.binaries.clone());
    tokio::select! {
        () = watch.follow(invocations) => {
            let log = description.home.join("emulator.log");
            return Err(Error::new("the emulator ended by itself").next(format!("Its log is in {}", log.display())));
        }
        _ = &mut stopped => {}
        () = terminated() => {}
    }
    eprintln!("\nSaving and stopping …");
    stack.stop().await
}

/// Ends on SIGTERM or SIGHUP: a closed terminal or a process manager wants the data saved, too.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut term), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = hangup.recv() => {}
    }
}

fn summary(stack: &Description, seconds: f64) -> String {
    let mut lines = vec![
        format!("\nCrossdock is up ({seconds:.0} s)."),
        String::new(),
        format!("  API        {}", stack.api_url),
        format!("  Live       {}?token=<an id token>", stack.ws_url.as_deref().unwrap_or_default()),
        format!("  AWS        {}  (any AWS client, --endpoint-url)", stack.emulator_url),
        format!("  Stand-in   {}  (Make.com and the CRMs; {0}/_control/)", stack.receiver_url),
        format!("  Table      {}", stack.table_name),
        format!("  All of it  {}", paths::local().join("stack.json").display()),
        String::new(),
    ];
    for (number, tenant) in stack.tenants.iter().enumerate() {
        lines.push(format!(
            "  Tenant {}   {} ({})\n             API key {}",
            number + 1,
            tenant.name,
            tenant.id,
            tenant.api_key
        ));
        if let (Some(first), people) = (tenant.users.first(), &tenant.users) {
            let people: Vec<&str> = people.iter().map(|user| user.email.as_str()).collect();
            lines.push(format!("             {}, password {}", people.join(", "), first.password));
        }
    }
    lines.push("\n  Ctrl-C stops it; the data is kept. Each invocation shows as one line:\n".to_owned());
    lines.join("\n")
}

async fn deploy_changed() -> Result<()> {
    let stack = running()?;
    let template = Template::read()?;
    let progress = Progress::new();
    let packages = progress.step("Functions built", async |step| binaries::ready(&template, step).await).await?;
    let changed = deploy::update_running(&stack.home, &stack.sdk(), &packages).await?;
    if changed.is_empty() {
        println!("No function changed.");
    } else {
        println!("New code: {}", changed.join(", "));
    }
    Ok(())
}

async fn token(role: &str, tenant: usize) -> Result<()> {
    let stack = running()?;
    println!("{}", stack.sign_in(numbered(&stack, tenant)?.user(role)?).await?);
    Ok(())
}

fn numbered(stack: &Description, tenant: usize) -> Result<&Tenant> {
    tenant.checked_sub(1).and_then(|index| stack.tenants.get(index)).ok_or_else(|| {
        Error::new(format!("there is no tenant {tenant}"))
            .next(format!("There are {}, counted from 1.", stack.tenants.len()))
    })
}

/// Addresses, keys and fresh tokens of one tenant, as lines for a shell. None of the values has a character to quote.
async fn environment(tenant: usize) -> Result<()> {
    let stack = running()?;
    let tenant = numbered(&stack, tenant)?;
    let mut lines = vec![
        ("API".to_owned(), stack.api_url.clone()),
        ("LIVE".to_owned(), stack.ws_url.clone().unwrap_or_default()),
        ("STANDIN".to_owned(), stack.receiver_url.clone()),
        ("KEY".to_owned(), tenant.api_key.clone()),
        ("CRON_SECRET".to_owned(), stack.cron_secret.clone()),
    ];
    for user in &tenant.users {
        lines.push((user.role.to_uppercase(), stack.sign_in(user).await?));
    }
    for (name, value) in &tenant.seeded {
        if let Some(text) = value.as_str() {
            lines.push((name.to_uppercase(), text.to_owned()));
        }
    }
    for (name, value) in lines {
        println!("export {name}='{value}'");
    }
    Ok(())
}

async fn invoke(function: &str, event: &std::path::Path) -> Result<()> {
    let stack = running()?;
    let text = std::fs::read(event).context(format!("cannot read {}", event.display()))?;
    let event = serde_json::from_slice(&text).context(format!("{} is no JSON", event.display()))?;
    let answer = stack.invoke(function, &event).await?;
    println!("{answer:#}");
    Ok(())
}

async fn lint() -> Result<()> {
    let progress = Progress::new();
    let python =
        progress.step("Python environment (emulator, SAM CLI)", async |step| Python::ready(step).await).await?;
    deploy::lint(&python).await?;
    println!("template.yaml and its nested stacks are valid.");
    Ok(())
}

fn reset() -> Result<()> {
    let port = first_port()?;
    stack::home_of(port)?.clear()?;
    println!("The stack on port {port} starts empty next time.");
    Ok(())
}
