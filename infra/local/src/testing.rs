//! The stack that all tests of one process share.

use tokio::sync::{OnceCell, broadcast};

use crate::{
    emulator::Invocation,
    error::{Error, Result},
    progress::Progress,
    stack::{Description, Options, Stack},
};

/// A started stack, with what tests need of it.
pub struct TestStack {
    description: Description,
    invocations: broadcast::Sender<Invocation>,
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
        self.invocations.subscribe()
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
                    let test_stack =
                        TestStack { description: stack.description().clone(), invocations: stack.invocation_sender() };
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
