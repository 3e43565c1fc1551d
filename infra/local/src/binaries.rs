//! The functions' binaries: built by Cargo, packed the way Lambda wants them.

use std::{
    collections::BTreeSet,
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{ChildStderr, ChildStdout, Command},
};

use crate::{
    error::{Context, Error, Result},
    paths,
    progress::{Outcome, Step},
    python::last_lines,
    template::Template,
};

/// One function's code, ready to upload.
#[derive(Clone, Debug)]
pub struct Package {
    /// The name of the binary, which is also the name of its folder under target/lambda.
    pub binary: String,
    /// The zip file.
    pub file: PathBuf,
    /// SHA-256 of the zip in base64, as Lambda reports it (`CodeSha256`).
    pub sha256: String,
}

/// Where the package of a binary lies.
pub fn package_file(binary: &str) -> PathBuf {
    paths::local().join("lambda").join(binary).join("bootstrap.zip")
}

/// Builds the functions that `template` names, and packs those that changed.
pub async fn ready(template: &Template, step: &Step) -> Result<(Outcome, Vec<Package>)> {
    let wanted = template.binaries();
    let crates = crates_of(&wanted).await?;
    let mut executables = build(&crates, step).await?;
    executables.retain(|executable| wanted.contains(&executable.binary));
    step.note("packing");
    tokio::task::spawn_blocking(move || pack_all(&executables)).await.context("packing the functions stopped")?
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

/// The crates under functions/ that hold the wanted binaries.
async fn crates_of(wanted: &BTreeSet<String>) -> Result<Vec<String>> {
    let answer = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .await
        .context("cannot run cargo metadata")?;
    let metadata: Metadata = serde_json::from_slice(&answer.stdout).context("cannot read cargo metadata")?;
    let functions = paths::workspace().join("functions");
    let mut missing = wanted.clone();
    let mut crates = Vec::new();
    for found in metadata.packages {
        if !found.manifest_path.starts_with(&functions) {
            continue;
        }
        let before = missing.len();
        for target in found.targets.iter().filter(|target| target.is_binary()) {
            missing.remove(&target.name);
        }
        if missing.len() < before {
            crates.push(found.name);
        }
    }
    match missing.first() {
        None => Ok(crates),
        Some(binary) => Err(Error::new(format!(
            "template.yaml has a function target/lambda/{binary}/, but no crate under functions/ has that binary"
        ))
        .next(format!("Add src/bin/{binary}.rs, or mend CodeUri."))),
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::workspace()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    profile: Option<Profile>,
    #[serde(default)]
    manifest_path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Target {
    fn is_binary(&self) -> bool {
        self.kind == ["bin"]
    }
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Executable {
    binary: String,
    file: PathBuf,
}

/// `local` is built along: with it the features are those of `cargo test`, see its Cargo.toml.
async fn build(crates: &[String], step: &Step) -> Result<Vec<Executable>> {
    let mut command = cargo();
    command
        .args(["build", "--bins", "--message-format", "json-render-diagnostics"])
        .args(["-p", env!("CARGO_PKG_NAME")]);
    for name in crates {
        command.args(["-p", name]);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run cargo build")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (messages, said) = tokio::join!(read_all(stdout), follow(stderr, step));
    let status = child.wait().await.context("cannot wait for cargo build")?;
    if !status.success() {
        return Err(Error::new(format!("the functions do not build:\n{}", last_lines(&said, 40)))
            .next("Mend the code, then start again."));
    }
    executables(&messages, &paths::workspace().join("functions"))
}

async fn read_all(output: Option<ChildStdout>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut output) = output {
        // What cannot be read is missing from the messages, and said there.
        let _ = output.read_to_end(&mut bytes).await;
    }
    bytes
}

/// Shows what Cargo is compiling, and keeps all of it for the case that it fails.
async fn follow(output: Option<ChildStderr>, step: &Step) -> String {
    let mut said = String::new();
    let Some(output) = output else {
        return said;
    };
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        step.note(line.trim());
        said.push_str(&line);
        said.push('\n');
    }
    said
}

fn executables(messages: &[u8], functions: &Path) -> Result<Vec<Executable>> {
    let mut found = Vec::new();
    for message in serde_json::Deserializer::from_slice(messages).into_iter::<Message>() {
        let message = message.context("cannot read what cargo build said")?;
        let ours = message.manifest_path.is_some_and(|path| path.starts_with(functions));
        let (Some(file), Some(target), Some(profile)) = (message.executable, message.target, message.profile) else {
            continue;
        };
        let built = message.reason == "compiler-artifact" && !profile.test;
        if ours && built && target.is_binary() {
            found.push(Executable { binary: target.name, file });
        }
    }
    Ok(found)
}

fn pack_all(executables: &[Executable]) -> Result<(Outcome, Vec<Package>)> {
    if executables.is_empty() {
        return Err(
            Error::new("no function binaries were built").next("Is there a binary in a crate under functions/?")
        );
    }
    // Packing is compression, which one core does for one function at a time.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let packed: Vec<Result<(bool, Package)>> = std::thread::scope(|scope| {
        let tasks: Vec<_> = executables
            .chunks(executables.len().div_ceil(workers))
            .map(|share| scope.spawn(move || share.iter().map(pack).collect::<Vec<_>>()))
            .collect();
        tasks.into_iter().flat_map(|task| task.join().unwrap_or_default()).collect()
    });
    let packed: Vec<(bool, Package)> = packed.into_iter().collect::<Result<_>>()?;
    let outcome =
        if packed.iter().any(|(changed, _)| *changed) { Outcome::Done } else { Outcome::Skipped("unchanged") };
    Ok((outcome, packed.into_iter().map(|(_, package)| package).collect()))
}

/// Packs one binary, unless it is the one that was packed last time.
fn pack(executable: &Executable) -> Result<(bool, Package)> {
    let Executable { binary, file } = executable;
    let zip_file = package_file(binary);
    let stamp_file = zip_file.with_file_name("stamp");
    let what = || format!("cannot pack {binary}");

    let bytes = fs::read(file).context(what())?;
    let stamp = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
    if let (Ok(found), Ok(zip)) = (fs::read_to_string(&stamp_file), fs::read(&zip_file))
        && found == stamp
    {
        return Ok((false, package(binary, zip_file, &zip)));
    }
    let folder = zip_file.parent().unwrap_or(&zip_file);
    fs::create_dir_all(folder).context(what())?;
    let stripped = strip(file, &folder.join("bootstrap")).unwrap_or(bytes);
    let zip = zip(&stripped).context(what())?;
    fs::write(&zip_file, &zip).context(what())?;
    fs::write(&stamp_file, stamp).context(what())?;
    Ok((true, package(binary, zip_file, &zip)))
}

fn package(binary: &str, file: PathBuf, zip: &[u8]) -> Package {
    Package { binary: binary.to_owned(), file, sha256: data_encoding::BASE64.encode(&Sha256::digest(zip)) }
}

/// The binary without its symbols, where `strip` is installed: half the size to pack and to keep.
fn strip(file: &Path, to: &Path) -> Option<Vec<u8>> {
    let done = std::process::Command::new("strip")
        .arg("-o")
        .args([to, file])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let stripped = done.then(|| fs::read(to).ok()).flatten();
    // What remains would only be a second copy of what the zip holds.
    let _ = fs::remove_file(to);
    stripped
}

fn zip(bootstrap: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(0o755);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(bootstrap)?;
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_binaries_of_function_crates_are_taken_from_what_cargo_says() {
        let said = br#"
            {"reason":"compiler-artifact","manifest_path":"/w/functions/crm/Cargo.toml","target":{"name":"oauth-init","kind":["bin"]},"profile":{"test":false},"executable":"/t/oauth-init"}
            {"reason":"compiler-artifact","manifest_path":"/w/functions/crm/Cargo.toml","target":{"name":"crm","kind":["lib"]},"profile":{"test":true},"executable":"/t/crm-123"}
            {"reason":"compiler-artifact","manifest_path":"/w/infra/local/Cargo.toml","target":{"name":"local","kind":["bin"]},"profile":{"test":false},"executable":"/t/local"}
            {"reason":"build-finished","success":true}
        "#;

        let found = executables(said, Path::new("/w/functions")).unwrap();

        assert_eq!(found, [Executable { binary: "oauth-init".into(), file: "/t/oauth-init".into() }]);
    }

    #[test]
    fn the_same_binary_makes_the_same_zip_with_an_executable_bootstrap() {
        let packed = zip(b"binary").unwrap();
        assert_eq!(packed, zip(b"binary").unwrap());

        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }
}
