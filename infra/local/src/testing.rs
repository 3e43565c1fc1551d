//! The stack that all tests of one process share.

use std::process::Stdio;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tokio::{
    io::AsyncWriteExt,
    process::Command,
    sync::{OnceCell, broadcast},
};

use crate::{
    emulator::{Invocation, Invocations},
    error::{Context, Error, Result},
    progress::Progress,
    python::Python,
    seed::User,
    stack::{Description, Options, Stack},
};

const SIGN: &str = include_str!("sign_token.py");

/// A started stack, with what tests need of it.
pub struct TestStack {
    description: Description,
    invocations: Invocations,
}

impl std::ops::Deref for TestStack {
    type Target = Description;

    fn deref(&self) -> &Description {
        &self.description
    }
}

impl TestStack {
    /// Every invocation from now on.
    pub fn invocations(&self) -> broadcast::Receiver<Invocation> {
        self.invocations.follow()
    }
}

impl TestStack {
    /// This person's id token with other claims, signed by the user pool's own key: what only the pool could
    /// have issued, such as a token that has expired.
    pub async fn token_with(&self, user: &User, claims: Value) -> Result<String> {
        let mut parts = user.id_token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
        let header = parts.next().unwrap_or_default();
        let mut payload: Map<String, Value> =
            serde_json::from_slice(&parts.next().unwrap_or_default()).context("cannot read the token")?;
        if let Value::Object(claims) = claims {
            payload.extend(claims);
        }
        let payload = serde_json::to_vec(&payload).context("cannot write the claims")?;

        let pool = self.deployed().output("UserPoolId")?.to_owned();
        let key = self.home.join("state/cognito-pool-keys").join(format!("{pool}-id.pem"));
        let mut python = Command::new(Python::made().interpreter())
            .args(["-c", SIGN])
            .arg(key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot sign a token")?;
        if let Some(mut input) = python.stdin.take() {
            let lines = [header.as_slice(), b"\n", &payload].concat();
            input.write_all(&lines).await.context("cannot sign a token")?;
        }
        let answer = python.wait_with_output().await.context("cannot sign a token")?;
        String::from_utf8(answer.stdout).context("cannot sign a token")
    }
}

/// A failure is kept, too: the next test would only wait for the same one.
static STACK: OnceCell<Result<TestStack>> = OnceCell::const_new();

/// The stack, started by the first test that asks for it. It ends with the process.
///
/// # Panics
///
/// When it cannot be started: no test can say anything then.
pub async fn stack() -> &'static TestStack {
    match STACK.get_or_init(start).await {
        Ok(stack) => stack,
        Err(error) => panic!("the stack for the tests does not start: {error}"),
    }
}

/// The servers live on a thread of their own: each test has its own runtime, which ends with the test.
async fn start() -> Result<TestStack> {
    let (started, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(Error::new(format!("no runtime: {error}"))));
                return;
            }
        };
        runtime.block_on(async move {
            let stack = match Options::test() {
                Ok(options) => Stack::start(options, &Progress::new()).await,
                Err(error) => Err(error),
            };
            match stack {
                Ok(stack) => {
                    let test_stack = TestStack {
                        description: stack.description().clone(),
                        invocations: stack.invocations().clone(),
                    };
                    let _ = started.send(Ok(test_stack));
                    std::future::pending::<()>().await;
                    drop(stack);
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    });
    waiting.await.unwrap_or_else(|_| Err(Error::new("the stack's thread ended")))
}
