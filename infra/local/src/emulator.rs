//! The AWS emulator: started, watched, and ended with us.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::broadcast,
    time::timeout,
};

use crate::{
    error::{Context, Error, Result},
    paths::Home,
    python::{Python, last_lines},
};

const LAUNCHER: &str = include_str!("launcher.py");
const READY_WITHIN: Duration = Duration::from_secs(60);
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// The region everything is deployed to.
pub const REGION: &str = "us-east-1";
/// The emulator's administrator; functions run under their own roles.
pub const ACCESS_KEY: &str = "test";
/// The administrator's secret.
pub const SECRET_KEY: &str = "test";

/// One finished invocation of a function.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Invocation {
    /// The function's physical name.
    pub function: String,
    /// Lambda's request id.
    pub request_id: String,
    /// What started it: a route, a queue, a stream.
    pub trigger: String,
    /// When it started, in seconds since 1970.
    pub started_at: f64,
    /// How long it took, a cold start included.
    pub duration_ms: u64,
    /// The HTTP status it answered, if it answers HTTP.
    pub status: Option<u16>,
    /// Records of its batch that it reported as failed.
    pub failed_items: u32,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What it wrote to its log.
    pub log: String,
}

/// Where invocations can be followed, for as long as the emulator lives.
#[derive(Clone)]
pub struct Invocations(broadcast::WeakSender<Invocation>);

impl Invocations {
    /// Every invocation from now on; ends with the emulator.
    pub fn follow(&self) -> broadcast::Receiver<Invocation> {
        match self.0.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        }
    }
}

/// A running emulator.
pub struct Emulator {
    address: SocketAddr,
    child: Child,
    leash: Option<ChildStdin>,
    log: PathBuf,
    invocations: Invocations,
}

impl Emulator {
    /// Starts it on this port, with the state that it saved in `home` last time if `keep` says so.
    pub async fn start(python: &Python, home: &Home, port: u16, keep: bool) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Err(Error::new(format!("port {port} is taken"))
                .next("End the program that listens there, or choose other ports: CROSSDOCK_PORT=4000"));
        }
        let log = home.path("emulator.log");
        let mut child = command(python, home, address, keep, &log)?.spawn().context("cannot start the emulator")?;
        let leash = child.stdin.take();
        let output = child.stdout.take();

        let (seen, _) = broadcast::channel(4096);
        let invocations = Invocations(seen.downgrade());
        if let Some(output) = output {
            let functions_log = home.path("functions.log");
            tokio::spawn(read_invocations(output, functions_log, seen));
        }
        let mut emulator = Self { address, child, leash, log, invocations };
        emulator.wait_until_ready().await?;
        Ok(emulator)
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Where its invocations can be followed.
    pub fn invocations(&self) -> &Invocations {
        &self.invocations
    }

    /// Lets it save its state, then ends it and every function process.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.leash.take());
        match timeout(GONE_WITHIN, self.child.wait()).await {
            Ok(ended) => ended.map(drop).context("cannot wait for the emulator"),
            Err(_) => self.child.kill().await.context("cannot end the emulator"),
        }
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let health = format!("{}/_ministack/health", self.url());
        let answers = async {
            loop {
                if reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Err(format!("the emulator ended at once ({status})"));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let trouble = match timeout(READY_WITHIN, answers).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(_) => format!("the emulator does not answer on {health}"),
        };
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        Err(Error::new(format!("{trouble}:\n{}", last_lines(&said, 15)))
            .next(format!("The whole log is in {}", self.log.display())))
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn command(python: &Python, home: &Home, address: SocketAddr, keep: bool, log: &PathBuf) -> Result<Command> {
    let launcher = home.path("launcher.py");
    fs::write(&launcher, LAUNCHER).context("cannot write the launcher")?;
    // Unpacked code and process id files: nothing in it outlives a run.
    let scratch = home.path("tmp");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).context("cannot make a scratch folder")?;
    let log = fs::File::create(log).context("cannot make the emulator's log")?;

    let mut command = Command::new(python.interpreter());
    command
        .arg(&launcher)
        .current_dir(&scratch)
        // Functions inherit this environment: nothing of the person's own may be in it.
        .env_clear()
        .envs(inherited())
        .env("TMPDIR", &scratch)
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AUTH", "true")
        .env("AWS_ENDPOINT_URL", url(address))
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("MINISTACK_REGION", REGION)
        .env("GATEWAY_PORT", address.port().to_string())
        .env("BIND_HOST", address.ip().to_string())
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("DOCKER_HOST", "unix:///nonexistent")
        .env("PERSIST_STATE", if keep { "1" } else { "0" })
        .env("STATE_DIR", home.path("state"))
        .env("S3_DATA_DIR", home.path("s3"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C at our terminal must not reach it before we have said what to save.
        .process_group(0);
    Ok(command)
}

fn inherited() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    ["PATH", "HOME", "LANG", "LC_ALL"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

async fn read_invocations(output: ChildStdout, functions_log: PathBuf, seen: broadcast::Sender<Invocation>) {
    let mut log = tokio::fs::File::create(functions_log).await.ok();
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(invocation) = serde_json::from_str::<Invocation>(&line) else {
            continue;
        };
        if let Some(file) = &mut log
            && !invocation.log.is_empty()
        {
            let text = format!("{}\n", invocation.log.trim_end());
            if file.write_all(text.as_bytes()).await.is_err() {
                log = None;
            } else {
                let _ = file.flush().await;
            }
        }
        // Nobody listening is fine.
        let _ = seen.send(invocation);
    }
}

/// The SDK's configuration for an emulator: a client built from it belongs to whoever builds it.
pub fn sdk(url: &str) -> SdkConfig {
    use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};

    let administrator = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(administrator))
        .build()
}
