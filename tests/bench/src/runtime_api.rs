//! A Lambda Runtime API for one process: starts it, hands it one event at a time, and watches the clock.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Result, process};

/// The longest that anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is started.
#[derive(Clone)]
pub struct Program {
    /// To be shown, and the name of its log.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All that it finds in its environment.
    pub environment: Vec<(String, String)>,
    /// Where its log goes.
    pub logs: PathBuf,
}

/// A process that waits for its next event.
pub struct Function {
    process: Process,
    next: Call,
    served: u64,
    /// From the start of the process to its first poll.
    pub init: Duration,
}

/// A process and the door that it calls at. Ends with its value.
struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    calls: mpsc::Receiver<Call>,
    door: SocketAddr,
    open: Arc<AtomicBool>,
}

/// What came of an event.
pub struct Answer {
    /// From the event sent to the answer received.
    pub took: Duration,
    /// The answer.
    pub body: Vec<u8>,
}

/// One request of the process, still to be answered.
struct Call {
    path: String,
    body: Vec<u8>,
    stream: Arc<TcpStream>,
}

impl Function {
    /// Starts it and waits for its first poll.
    pub fn start(program: &Program) -> Result<Self> {
        let door = TcpListener::bind("127.0.0.1:0")?;
        let address = door.local_addr()?;
        let (told, calls) = mpsc::channel();
        let open = Arc::new(AtomicBool::new(true));
        let accepting = open.clone();
        thread::spawn(move || accept(&door, &told, &accepting));

        let log_path = program.logs.join(format!("{}.log", program.name));
        let log = File::create(&log_path)?;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let began = Instant::now();
        let mut process =
            Process { log: log_path, name: program.name.clone(), child: command.spawn()?, calls, door: address, open };
        let next = process.hear()?;
        let init = began.elapsed();
        if !next.path.ends_with("/invocation/next") {
            return Err(process.broken(&String::from_utf8_lossy(&next.body)));
        }
        Ok(Self { process, next, served: 0, init })
    }

    /// Hands it an event and waits for the answer, and until it asks for the next one.
    pub fn invoke(&mut self, event: &[u8]) -> Result<Answer> {
        self.served += 1;
        let deadline = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)? + PATIENCE;
        let mut message = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {:08}\r\n\
             Lambda-Runtime-Deadline-Ms: {}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
             Content-Length: {}\r\n\r\n",
            self.served,
            deadline.as_millis(),
            event.len()
        )
        .into_bytes();
        message.extend_from_slice(event);

        let began = Instant::now();
        self.next.answer(&message)?;
        let answer = self.process.hear()?;
        let took = began.elapsed();
        answer.answer(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")?;
        if !answer.path.ends_with("/response") {
            return Err(self.process.broken(&String::from_utf8_lossy(&answer.body)));
        }
        self.next = self.process.hear()?;
        Ok(Answer { took, body: answer.body })
    }

    /// CPU time that it has used.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu(self.process.child.id())
    }

    /// Its resident memory, in bytes.
    pub fn memory(&self) -> Result<u64> {
        process::memory(self.process.child.id())
    }
}

impl Process {
    fn hear(&mut self) -> Result<Call> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.calls.recv_timeout(Duration::from_secs(1)) {
                Ok(call) => return Ok(call),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.broken(&status.to_string()));
            }
        }
        Err(self.broken("it fell silent"))
    }

    fn broken(&self, why: &str) -> Box<dyn std::error::Error + Send + Sync> {
        format!("{}: {why}; its log is {}", self.name, self.log.display()).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.open.store(false, Ordering::Relaxed);
        // The thread that accepts connections looks up once more.
        let _ = TcpStream::connect(self.door);
    }
}

impl Call {
    fn answer(&self, message: &[u8]) -> io::Result<()> {
        (&*self.stream).write_all(message)
    }
}

fn accept(door: &TcpListener, told: &mpsc::Sender<Call>, open: &AtomicBool) {
    for stream in door.incoming() {
        if !open.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let told = told.clone();
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let stream = Arc::new(stream);
            let mut reader = BufReader::new(&*stream);
            while let Ok(Some((path, body))) = request(&mut reader) {
                let call = Call { path, body, stream: stream.clone() };
                if told.send(call).is_err() {
                    return;
                }
            }
        });
    }
}

/// One HTTP/1.1 request: its path and body. Nothing where the other side has closed.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = true;
        }
    }
    if !chunked {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        return Ok(Some((path, body)));
    }
    let mut body = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let from = body.len();
        body.resize(from + size + 2, 0);
        reader.read_exact(&mut body[from..])?;
        body.truncate(from + size);
        if size == 0 {
            return Ok(Some((path, body)));
        }
    }
}
