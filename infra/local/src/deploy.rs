//! `template.yaml` into the emulator, by the command that also deploys it to AWS.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    binaries::Package,
    emulator::{ACCESS_KEY, REGION, SECRET_KEY},
    error::{Context, Error, Result},
    gateway,
    intrinsics::{Resource, Scope},
    paths::{self, Home},
    progress::Outcome,
    python::{Python, last_lines},
    template::Template,
};

/// The name of the stack.
pub const STACK: &str = "crossdock";

/// What is deployed, and under which names.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// Physical function names by logical id.
    pub functions: BTreeMap<String, String>,
    /// Binary names by physical function name.
    pub binaries: BTreeMap<String, String>,
}

impl Deployed {
    /// An output that the rest relies on.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            Error::new(format!("the stack has no output {name}")).next("template.yaml must name it under Outputs.")
        })
    }

    /// The physical name of a function, by logical id, binary name or physical name.
    pub fn function(&self, name: &str) -> Result<&str> {
        let by_binary = || {
            let found = self.binaries.iter().find(|(_, binary)| *binary == name)?;
            Some(found.0)
        };
        self.functions
            .get(name)
            .or_else(|| self.functions.values().find(|physical| *physical == name))
            .or_else(by_binary)
            .map(String::as_str)
            .ok_or_else(|| {
                let known: Vec<_> = self.functions.keys().map(String::as_str).collect();
                Error::new(format!("there is no function {name}")).next(format!("There are: {}", known.join(", ")))
            })
    }
}

/// Kept beside the emulator's state: from what the stack was made.
#[derive(Deserialize, Serialize)]
struct Record {
    fingerprint: String,
    /// Binary names by physical function name.
    binaries: BTreeMap<String, String>,
}

/// Was this folder deployed to before?
pub fn was_deployed(home: &Home) -> bool {
    home.path("deployed.json").exists()
}

/// Deploys what differs from what runs: everything, some functions' code, or nothing.
pub async fn ready(
    python: &Python,
    home: &Home,
    sdk: &SdkConfig,
    template: &Template,
    packages: &[Package],
    parameters: &[(&str, String)],
) -> Result<(Outcome, Deployed)> {
    let fingerprint = template.fingerprint(parameters);
    let record = read_record(home);
    if let Some(record) = record
        && record.fingerprint == fingerprint
        && let Ok(mut deployed) = look(sdk).await
    {
        deployed.binaries = record.binaries;
        let changed = update_code(sdk, &deployed, packages).await?;
        let outcome = if changed.is_empty() { Outcome::Skipped("unchanged") } else { Outcome::Done };
        return Ok((outcome, deployed));
    }
    let file = home.path("template.yaml");
    fs::write(&file, template.text()).context("cannot write the template")?;
    sam_deploy(python, home, &file, sdk.endpoint_url().unwrap_or_default(), parameters).await?;
    shim(sdk, parameters).await?;
    let mut deployed = look(sdk).await?;
    deployed.binaries = match_binaries(sdk, packages).await?;
    let record = Record { fingerprint, binaries: deployed.binaries.clone() };
    let record = serde_json::to_vec_pretty(&record).context("cannot write the record")?;
    paths::write_private(&home.path("deployed.json"), &record)?;
    Ok((Outcome::Done, deployed))
}

fn read_record(home: &Home) -> Option<Record> {
    let text = fs::read(home.path("deployed.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

async fn sam_deploy(
    python: &Python,
    home: &Home,
    template: &Path,
    endpoint: &str,
    parameters: &[(&str, String)],
) -> Result<()> {
    let mut command = sam(python)?;
    command
        .args(["deploy", "--template-file"])
        .arg(template)
        .args(["--stack-name", STACK, "--region", REGION, "--resolve-s3"])
        .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        .args(["--no-confirm-changeset", "--no-fail-on-empty-changeset"])
        .args(["--no-progressbar", "--parameter-overrides"])
        .args(parameters.iter().map(|(name, value)| format!("ParameterKey={name},ParameterValue=\"{value}\"")))
        .current_dir(home.path(""))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let answer = command.output().await.context("cannot run sam deploy")?;
    let log = home.path("deploy.log");
    let said = [answer.stdout.as_slice(), &answer.stderr].concat();
    fs::write(&log, &said).context("cannot write deploy.log")?;
    if answer.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let failed: Vec<&str> =
        said.lines().filter(|line| line.contains("FAILED") || line.contains("Error")).take(10).collect();
    Err(Error::new(format!("sam deploy failed:\n{}\n{}", failed.join("\n"), last_lines(&said, 12))).next(format!(
        "All it said is in {}; after mending template.yaml, start again (or begin anew: cargo run -p local -- reset)",
        log.display()
    )))
}

/// Checks the template and the stacks nested in it.
pub async fn lint(python: &Python) -> Result<()> {
    let template = Template::read()?;
    let nested = template.included().iter().filter(|file| file.extension().is_some_and(|kind| kind == "yaml"));
    let files = [paths::workspace().join("template.yaml")].into_iter().chain(nested.cloned());
    for file in files {
        let mut command = sam(python)?;
        command.args(["validate", "--lint", "--region", REGION, "--template-file"]).arg(&file);
        let answer = command.current_dir(paths::workspace()).output().await.context("cannot run sam validate")?;
        if !answer.status.success() {
            let said = [answer.stdout, answer.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            return Err(Error::new(format!("{} is not valid:\n{}", file.display(), last_lines(&said, 40))));
        }
    }
    Ok(())
}

/// The SAM CLI, in an environment that holds nothing of the person's own account.
fn sam(python: &Python) -> Result<Command> {
    skip_update_check()?;
    let mut command = Command::new(python.program("sam"));
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("__SAM_CLI_APP_DIR", paths::local().join("sam"))
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// The version is pinned: SAM need not ask the network for a newer one, least of all without a network.
fn skip_update_check() -> Result<()> {
    const WHAT: &str = "cannot write the SAM CLI's settings";
    let folder = paths::local().join("sam");
    fs::create_dir_all(&folder).context(WHAT)?;
    let settings = json!({"lastVersionCheck": jiff::Timestamp::now().as_second()});
    fs::write(folder.join("metadata.json"), settings.to_string()).context(WHAT)
}

async fn shim(sdk: &SdkConfig, parameters: &[(&str, String)]) -> Result<()> {
    let cloudformation = aws_sdk_cloudformation::Client::new(sdk);
    let template = cloudformation
        .get_template()
        .stack_name(STACK)
        .template_stage(aws_sdk_cloudformation::types::TemplateStage::Processed)
        .send()
        .await
        .context("cannot read the processed template")?;
    let template: Value = serde_json::from_str(template.template_body().unwrap_or_default())
        .context("cannot read the processed template")?;
    let scope = scope(&cloudformation, &template).await?;
    // The emulator expands SAM with the parameters' defaults where SAM wants their values: in CORS.
    let origins = parameters.iter().find(|(name, _)| *name == "AllowedOrigins").map(|(_, value)| value.as_str());
    let gateway = aws_sdk_apigatewayv2::Client::new(sdk);
    gateway::apply(&gateway, &template, &scope, origins).await
}

async fn scope(cloudformation: &aws_sdk_cloudformation::Client, template: &Value) -> Result<Scope> {
    let stack = describe(cloudformation, STACK).await?;
    // arn:aws:cloudformation:region:account:stack/…
    let account = stack.stack_id().and_then(|arn| arn.split(':').nth(4)).unwrap_or_default();
    let parameters = stack
        .parameters()
        .iter()
        .filter_map(|parameter| Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value()?.to_owned())));
    let mut resources = BTreeMap::new();
    for (logical_id, mut resource) in resources_of(cloudformation).await? {
        if resource.kind == "AWS::CloudFormation::Stack" {
            let nested = describe(cloudformation, &resource.physical_id).await?;
            resource.outputs = outputs(&nested);
        }
        resources.insert(logical_id, resource);
    }
    Ok(Scope {
        parameters: parameters.collect(),
        resources,
        conditions: template["Conditions"].as_object().cloned().unwrap_or_default(),
        stack_name: STACK.to_owned(),
        account: account.to_owned(),
        region: REGION.to_owned(),
    })
}

async fn describe(
    cloudformation: &aws_sdk_cloudformation::Client,
    stack: &str,
) -> Result<aws_sdk_cloudformation::types::Stack> {
    let answer = cloudformation
        .describe_stacks()
        .stack_name(stack)
        .send()
        .await
        .context(format!("cannot look at the stack {stack}"))?;
    answer
        .stacks
        .and_then(|stacks| stacks.into_iter().next())
        .ok_or_else(|| Error::new(format!("there is no stack {stack}")))
}

fn outputs(stack: &aws_sdk_cloudformation::types::Stack) -> BTreeMap<String, String> {
    let outputs = stack.outputs().iter();
    outputs.filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))).collect()
}

async fn resources_of(cloudformation: &aws_sdk_cloudformation::Client) -> Result<Vec<(String, Resource)>> {
    let list = cloudformation.list_stack_resources().stack_name(STACK);
    let mut pages = list.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.context("cannot list the stack's resources")?;
        found.push((
            resource.logical_resource_id().unwrap_or_default().to_owned(),
            Resource {
                kind: resource.resource_type().unwrap_or_default().to_owned(),
                physical_id: resource.physical_resource_id().unwrap_or_default().to_owned(),
                outputs: BTreeMap::new(),
            },
        ));
    }
    Ok(found)
}

/// Reads what is deployed from the emulator itself.
pub async fn look(sdk: &SdkConfig) -> Result<Deployed> {
    let cloudformation = aws_sdk_cloudformation::Client::new(sdk);
    let stack = describe(&cloudformation, STACK).await?;
    let functions = resources_of(&cloudformation)
        .await?
        .into_iter()
        .filter(|(_, resource)| resource.kind == "AWS::Lambda::Function")
        .map(|(logical_id, resource)| (logical_id, resource.physical_id))
        .collect();
    Ok(Deployed { outputs: outputs(&stack), functions, binaries: BTreeMap::new() })
}

/// Gives each function whose binary changed its new code, and names those functions' binaries.
async fn update_code(sdk: &SdkConfig, deployed: &Deployed, packages: &[Package]) -> Result<Vec<String>> {
    let lambda = aws_sdk_lambda::Client::new(sdk);
    let running = code_hashes(&lambda).await?;
    let mut changed = Vec::new();
    for (function, binary) in &deployed.binaries {
        let Some(package) = packages.iter().find(|package| package.binary == *binary) else {
            continue;
        };
        if running.get(function) == Some(&package.sha256) {
            continue;
        }
        let zip = fs::read(&package.file).context(format!("cannot read {binary}'s package"))?;
        lambda
            .update_function_code()
            .function_name(function)
            .zip_file(Blob::new(zip))
            .send()
            .await
            .context(format!("cannot give {binary} its new code"))?;
        changed.push(binary.clone());
    }
    Ok(changed)
}

async fn code_hashes(lambda: &aws_sdk_lambda::Client) -> Result<BTreeMap<String, String>> {
    let mut pages = lambda.list_functions().into_paginator().items().send();
    let mut hashes = BTreeMap::new();
    while let Some(function) = pages.next().await {
        let function = function.context("cannot list the functions")?;
        hashes.insert(
            function.function_name().unwrap_or_default().to_owned(),
            function.code_sha256().unwrap_or_default().to_owned(),
        );
    }
    Ok(hashes)
}

/// Which function runs which binary, told by the code that was just deployed.
async fn match_binaries(sdk: &SdkConfig, packages: &[Package]) -> Result<BTreeMap<String, String>> {
    let hashes = code_hashes(&aws_sdk_lambda::Client::new(sdk)).await?;
    Ok(hashes
        .into_iter()
        .filter_map(|(function, sha256)| {
            let package = packages.iter().find(|package| package.sha256 == sha256)?;
            Some((function, package.binary.clone()))
        })
        .collect())
}

/// Puts changed functions into a stack that another process runs.
pub async fn update_running(home_folder: &Path, sdk: &SdkConfig, packages: &[Package]) -> Result<Vec<String>> {
    let record = fs::read(home_folder.join("deployed.json"))
        .context("cannot read what was deployed")
        .map_err(|error| error.next("Is the stack running? cargo run -p local"))?;
    let record: Record = serde_json::from_slice(&record).context("cannot read deployed.json")?;
    let mut deployed = look(sdk).await?;
    deployed.binaries = record.binaries;
    update_code(sdk, &deployed, packages).await
}

/// Invokes a function and gives back what it answered.
pub async fn invoke(sdk: &SdkConfig, function: &str, event: &Value) -> Result<Value> {
    let what = || format!("cannot invoke {function}");
    // A cold start on a busy machine, and the function's own time.
    let config = aws_sdk_lambda::config::Builder::from(sdk)
        .timeout_config(
            aws_sdk_lambda::config::timeout::TimeoutConfig::builder().read_timeout(Duration::from_secs(60)).build(),
        )
        .build();
    let event = serde_json::to_vec(event).context(what())?;
    let answer = aws_sdk_lambda::Client::from_conf(config)
        .invoke()
        .function_name(function)
        .payload(Blob::new(event))
        .send()
        .await
        .context(what())?;
    let payload = answer.payload().map(Blob::as_ref).unwrap_or(b"null");
    let payload: Value = serde_json::from_slice(payload).context(what())?;
    match answer.function_error() {
        None => Ok(payload),
        Some(_) => Err(Error::new(format!("{function} failed: {payload}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_answers_to_its_logical_id_its_binary_and_its_physical_name() {
        let deployed = Deployed {
            functions: BTreeMap::from([("KpiQuery".into(), "crossdock-KpiQuery-1".into())]),
            binaries: BTreeMap::from([("crossdock-KpiQuery-1".into(), "kpi-query".into())]),
            ..Deployed::default()
        };
        for name in ["KpiQuery", "kpi-query", "crossdock-KpiQuery-1"] {
            assert_eq!(deployed.function(name).unwrap(), "crossdock-KpiQuery-1");
        }
        assert!(deployed.function("other").unwrap_err().to_string().contains("KpiQuery"));
    }
}
