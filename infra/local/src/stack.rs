//! The whole stack: started in order, described in one place, ended together.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use aws_config::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    binaries,
    deploy::{self, Deployed},
    emulator::{self, Emulator, Invocations},
    environment,
    error::{Context, Error, Result},
    paths::{self, Home},
    progress::{Outcome, Progress},
    proxy::{self, Upstream},
    python::Python,
    seed::{self, Addresses, Secrets, Tenant, User},
    standin,
    template::Template,
};

const DESCRIPTION: &str = "stack.json";

/// How a stack is started.
pub struct Options {
    /// Where it keeps its data.
    pub home: Home,
    /// Where it listens.
    pub ports: Ports,
    /// Whether the data outlives the run.
    pub keep: bool,
    /// Whether `target/local/stack.json` and `env.json` speak of it, as well as those in its own folder.
    pub announce: bool,
    /// Whether the tenants get something to try things out with.
    pub furnish: bool,
    /// Further template parameters.
    pub parameters: Vec<(&'static str, String)>,
}

/// The ports of a stack.
#[derive(Clone, Copy, Debug)]
pub enum Ports {
    /// This one for the API, the next two for the emulator and the stand-in.
    From(u16),
    /// Whichever are free.
    Free,
}

impl Options {
    /// The stack of the person at the keyboard.
    pub fn demo(home: Home, port: u16) -> Self {
        Self { home, ports: Ports::From(port), keep: true, announce: true, furnish: true, parameters: Vec::new() }
    }

    /// A fresh stack for one test process.
    pub fn test() -> Result<Self> {
        let home = Home::take_any("test")?;
        home.clear()?;
        Ok(Self { announce: false, home, ports: Ports::Free, keep: false, furnish: false, parameters: Vec::new() })
    }
}

/// What is where: the content of `stack.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Description {
    /// The HTTP API.
    pub api_url: String,
    /// The WebSocket API.
    pub ws_url: Option<String>,
    /// The AWS emulator: any AWS client works with this as its endpoint.
    pub emulator_url: String,
    /// The region everything is in.
    pub region: String,
    /// The table.
    pub table_name: String,
    /// The `CloudFormation` stack.
    pub stack_name: String,
    /// The stand-in for Make.com and the CRMs.
    pub receiver_url: String,
    /// What the cron endpoint wants to see.
    pub cron_secret: String,
    /// The seeded tenants.
    pub tenants: Vec<Tenant>,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// Physical function names by logical id.
    pub functions: BTreeMap<String, String>,
    /// Binary names by physical function name.
    pub binaries: BTreeMap<String, String>,
    /// The folder with the logs and the data.
    pub home: PathBuf,
}

impl Description {
    /// That of the stack which runs at this port, or else of the one that was started last.
    pub fn of_running(port: Option<u16>) -> Result<Self> {
        let none = || Error::new("no stack is running").next("Start one: cargo run -p local");
        let file = match port {
            Some(port) => paths::local().join(port.to_string()).join(DESCRIPTION),
            None => paths::local().join(DESCRIPTION),
        };
        let description = Self::read(&file)?.ok_or_else(none)?;
        // One that was killed leaves its description behind.
        let address = description.emulator_url.trim_start_matches("http://");
        std::net::TcpStream::connect(address).map_err(|_| none())?;
        Ok(description)
    }

    fn read(file: &Path) -> Result<Option<Self>> {
        let Ok(text) = std::fs::read(file) else {
            return Ok(None);
        };
        serde_json::from_slice(&text)
            .map(Some)
            .context(format!("cannot read {}", file.display()))
            .map_err(|error| error.next("Start the stack anew: cargo run -p local"))
    }

    /// Writes it into the stack's own folder and, for whoever looks there first, to `shared`.
    fn write(&self, shared: Option<&Path>) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).context("cannot describe the stack")?;
        let own = self.home.join(DESCRIPTION);
        [Some(own.as_path()), shared].into_iter().flatten().try_for_each(|file| paths::write_private(file, &text))
    }

    /// Removes it again: whoever finds it takes the stack for running.
    fn remove(&self, shared: Option<&Path>) {
        let _ = std::fs::remove_file(self.home.join(DESCRIPTION));
        if let Some(file) = shared
            && let Ok(Some(last)) = Self::read(file)
            && last.home == self.home
        {
            let _ = std::fs::remove_file(file);
        }
    }

    /// The SDK's configuration for this stack, with the administrator's credentials.
    /// Make clients from it where they are used: their connections belong to the runtime they were made in.
    pub fn sdk(&self) -> SdkConfig {
        emulator::sdk(&self.emulator_url)
    }

    /// The names of what is deployed.
    pub fn deployed(&self) -> Deployed {
        Deployed { outputs: self.outputs.clone(), functions: self.functions.clone(), binaries: self.binaries.clone() }
    }

    /// The physical name of a function, by logical id or binary name.
    pub fn function(&self, name: &str) -> Result<String> {
        self.deployed().function(name).map(str::to_owned)
    }

    /// Invokes a function, by logical id or binary name, and gives back what it answered.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        deploy::invoke(&self.sdk(), &self.function(function)?, event).await
    }

    /// A fresh id token for a person.
    pub async fn sign_in(&self, user: &User) -> Result<String> {
        let people = seed::People::new(&self.sdk(), &self.deployed())?;
        people.sign_in(user).await
    }

    /// The log of everything that functions wrote, in the order of their invocations' ends.
    pub fn functions_log(&self) -> PathBuf {
        self.home.join("functions.log")
    }
}

/// A running stack.
pub struct Stack {
    description: Description,
    announced: Option<PathBuf>,
    emulator: Emulator,
    api: tokio::task::AbortHandle,
    _servers: JoinSet<std::io::Result<()>>,
    _home: Home,
}

impl Stack {
    /// Builds, starts, deploys and seeds, each only as far as it is not done yet.
    pub async fn start(options: Options, progress: &Progress) -> Result<Self> {
        let Options { home, .. } = &options;
        let sockets = Sockets::open(options.ports).await?;
        let secrets = Secrets::of(home)?;
        let template = Template::read()?;

        let (python, packages) = tokio::try_join!(
            progress.step("Python environment (emulator, SAM CLI)", async |step| { Python::ready(step).await }),
            progress.step("Functions built", async |step| { binaries::ready(&template, step).await }),
        )?;
        if options.keep && !deploy::was_deployed(home) {
            forget_half_made(home)?;
        }
        let emulator = progress
            .step("AWS emulator started", async |_| {
                let emulator = Emulator::start(&python, home, sockets.emulator, options.keep).await?;
                Ok((Outcome::Done, emulator))
            })
            .await?;
        let sdk = emulator::sdk(&emulator.url());
        let parameters = sockets.parameters(&python, &emulator.url(), &options.parameters)?;
        let deployed = progress
            .step("Stack deployed", async |_| {
                deploy::ready(&python, home, &sdk, &template, &packages, &parameters).await
            })
            .await?;

        let api_url = sockets.api_url()?;
        let receiver_url = sockets.standin_url()?;
        let mut servers = JoinSet::new();
        let upstream = Upstream {
            authority: emulator.url().replace("http://", ""),
            prefix: format!("/_aws/execute-api/{}/$default", deployed.output("ApiId")?),
            sockets: format!("/_aws/execute-api/{}", deployed.output("LiveApiId")?),
        };
        let api = servers.spawn(proxy::serve(sockets.api, upstream));
        servers.spawn(standin::serve(sockets.standin));

        secrets.publish(&sdk, &deployed).await?;
        seed::verify_sender(&sdk).await?;
        let tenants = progress
            .step("Demo tenants", async |_| {
                let addresses = Addresses { api: &api_url, receiver: &receiver_url, cron_secret: &secrets.cron_secret };
                seed::ready(home, &sdk, &deployed, options.furnish.then_some(addresses)).await
            })
            .await?;

        let description = Description {
            api_url: api_url.clone(),
            ws_url: Some(format!("{}{}", api_url.replacen("http", "ws", 1), proxy::SOCKETS)),
            emulator_url: emulator.url(),
            region: emulator::REGION.to_owned(),
            table_name: deployed.output("TableName")?.to_owned(),
            stack_name: deploy::STACK.to_owned(),
            receiver_url,
            cron_secret: secrets.cron_secret,
            tenants,
            outputs: deployed.outputs.clone(),
            functions: deployed.functions.clone(),
            binaries: deployed.binaries.clone(),
            home: home.path(""),
        };
        let announced = options.announce.then(|| paths::local().join(DESCRIPTION));
        environment::write(&description, options.announce).await?;
        description.write(announced.as_deref())?;
        Ok(Self { description, announced, emulator, api, _servers: servers, _home: options.home })
    }

    /// What is where.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Where its invocations can be followed.
    pub fn invocations(&self) -> &Invocations {
        self.emulator.invocations()
    }

    /// Saves the data, if it is kept, and ends everything.
    pub async fn stop(self) -> Result<()> {
        // Nothing more comes in while the last of it is worked on.
        self.api.abort();
        self.description.remove(self.announced.as_deref());
        self.emulator.stop().await
    }
}

/// A first start that was interrupted left a state that nobody knows the shape of.
fn forget_half_made(home: &Home) -> Result<()> {
    for name in ["state", "s3", "tenants.json"] {
        let path = home.path(name);
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else if path.exists() {
            std::fs::remove_file(&path)
        } else {
            Ok(())
        };
        removed.context(format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

struct Sockets {
    api: TcpListener,
    emulator: u16,
    standin: TcpListener,
}

impl Sockets {
    async fn open(ports: Ports) -> Result<Self> {
        match ports {
            Ports::From(first) => {
                Ok(Self { api: listen(first).await?, emulator: first + 1, standin: listen(first + 2).await? })
            }
            Ports::Free => {
                let emulator = listen(0).await?;
                Ok(Self {
                    api: listen(0).await?,
                    // Closed again for the emulator to open: the system does not hand it out again at once.
                    emulator: port(&emulator)?,
                    standin: listen(0).await?,
                })
            }
        }
    }

    fn api_url(&self) -> Result<String> {
        Ok(format!("http://127.0.0.1:{}", port(&self.api)?))
    }

    fn standin_url(&self) -> Result<String> {
        Ok(format!("http://127.0.0.1:{}", port(&self.standin)?))
    }

    fn parameters(
        &self,
        python: &Python,
        emulator: &str,
        further: &[(&'static str, String)],
    ) -> Result<Vec<(&'static str, String)>> {
        let standin = self.standin_url()?;
        let mut parameters = vec![
            ("PublicUrl", self.api_url()?),
            ("AllowedOrigins", "http://localhost:3000,http://localhost:5173".to_owned()),
            ("AwsEndpointUrl", emulator.to_owned()),
            ("EgressAllow", standin.clone()),
            ("VendorOrigin", standin),
            ("MailFrom", seed::MAIL_FROM.to_owned()),
            // curl keeps no cookies: on this machine its sign-ins are taken as they come.
            ("OAuthUnknownBrowser", "admit".to_owned()),
            ("CaBundle", python.ca_bundle()?.to_string_lossy().into_owned()),
            ("Stage", "dev".to_owned()),
        ];
        for (name, value) in further {
            parameters.retain(|(known, _)| known != name);
            parameters.push((name, value.clone()));
        }
        Ok(parameters)
    }
}

async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .context(format!("cannot listen on port {port}"))
        .map_err(|error| error.next("End the program that listens there, or choose other ports: CROSSDOCK_PORT=4000"))
}

fn port(listener: &TcpListener) -> Result<u16> {
    let address = listener.local_addr().context("cannot read a port")?;
    Ok(address.port())
}

/// The folder of the stack at this port, if nobody runs it.
pub fn home_of(port: u16) -> Result<Home> {
    // One that was killed a moment ago may hold it for another.
    for _ in 0..20 {
        if let Some(home) = Home::take(&port.to_string())? {
            return Ok(home);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(Error::new(format!("a stack is running on port {port} already"))
        .next("End it with Ctrl-C in its terminal, or start another: CROSSDOCK_PORT=4000 cargo run -p local"))
}
