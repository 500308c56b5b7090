//! The server under test: the real program on a port of its own, over a data folder of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;
use super::client::Client;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The configuration file, as TOML.
    pub config: String,
    /// Agents of its own, by name, with the lines of their files; none: those that come with the server.
    pub agents: Vec<(String, String)>,
    /// Files of the workspace, by path.
    pub files: Vec<(String, String)>,
    /// A workspace that is there already, instead of one made of `files`.
    pub workspace: Option<PathBuf>,
    /// A data folder somewhere else than in the world of the test.
    pub data: Option<PathBuf>,
    /// Whether a write past the limit of a file's size is an error, as on a full disk, and not the process's end.
    pub limited: bool,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    world: TempDir,
    child: Child,
    address: String,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    /// Those who read what it writes, up to its end.
    readers: Vec<JoinHandle<()>>,
}

impl Setup {
    /// A setup with this configuration.
    pub fn with(config: &str) -> Self {
        Self { config: config.to_owned(), ..Self::default() }
    }

    /// The same with a line in the file of the agent `name`.
    pub fn agent(mut self, name: &str, line: &str) -> Self {
        let known = self.agents.iter_mut().find(|(known, _)| known == name);
        let lines = match known {
            Some((_, lines)) => lines,
            None => {
                self.agents.push((name.to_owned(), String::new()));
                &mut self.agents.last_mut().unwrap().1
            }
        };
        lines.push_str(line);
        lines.push('\n');
        self
    }

    /// The same with a file in the workspace.
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Starts a server and waits until it is ready.
    pub fn start(self) -> Server {
        let world = tempfile::tempdir().unwrap();
        self.furnish(world.path());
        let Launched { child, address, stderr, stdout, readers } = launch(&self, world.path());
        Server { setup: self, world, child, address, stderr, stdout, readers }
    }

    fn furnish(&self, world: &Path) {
        std::fs::write(world.join("callboard.toml"), &self.config).unwrap();
        std::fs::create_dir_all(world.join("workspace")).unwrap();
        for (path, content) in &self.files {
            let path = world.join("workspace").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        std::fs::create_dir_all(world.join("agents")).unwrap();
        for (name, lines) in &self.agents {
            let mut text = format!("name = \"{name}\"\n");
            for key in ["title", "description", "greeting"] {
                if !lines.lines().any(|line| line.starts_with(key)) {
                    text.push_str(&format!("{key} = \"{name}\"\n"));
                }
            }
            std::fs::write(world.join("agents").join(format!("{name}.toml")), text + lines).unwrap();
        }
    }
}

impl Server {
    /// A server as it is without any configuration.
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// A server with this configuration file.
    pub fn with(config: &str) -> Self {
        Setup::with(config).start()
    }

    /// Where it listens, `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of a path.
    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.setup.data.clone().unwrap_or_else(|| self.world.path().join("data"))
    }

    /// The folder that its agents may read.
    pub fn workspace(&self) -> PathBuf {
        self.setup.workspace.clone().unwrap_or_else(|| self.world.path().join("workspace"))
    }

    /// The memory that its process has resident, in bytes.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client on `/ws`.
    pub async fn client(&self) -> Client {
        self.connect("/ws").await
    }

    /// A client on a path, which may have a query.
    pub async fn connect(&self, path: &str) -> Client {
        Client::connect(&format!("ws://{}{path}", self.address)).await
    }

    /// Ends the process as a crash would, and waits until it is gone.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read_to_the_end();
    }

    /// After the end of the process: all that it wrote is known.
    fn read_to_the_end(&mut self) {
        self.readers.drain(..).for_each(|reader| reader.join().unwrap_or(()));
    }

    /// Starts the server anew over the same data folder, on a port of its own. Kills what is still running.
    pub fn restart(&mut self) {
        self.kill9();
        self.check();
        let Launched { child, address, stderr, stdout, readers } = launch(&self.setup, self.world.path());
        (self.child, self.address, self.stderr, self.stdout, self.readers) = (child, address, stderr, stdout, readers);
    }

    /// Sends SIGTERM.
    pub fn begin_to_terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -TERM failed");
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.read_to_the_end();
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.begin_to_terminate();
        self.wait()
    }

    /// What the process has written to its standard error.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that the process has written.
    pub fn printed(&self) -> String {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone() + &self.stderr()
    }

    /// Runs the program with other arguments over the same data folder and returns the last line of its output, such
    /// as a token.
    pub fn tool(&self, args: &[&str]) -> String {
        let mut command = program();
        command.args(args).arg("--data-dir").arg(self.data());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    /// No part of a server may panic, whatever its clients do; save the one that is made to, where it is switched on.
    fn check(&self) {
        let stderr = self.stderr().replace("panicked at actors/src/tool/unruly.rs", "");
        assert!(!stderr.contains("panicked at"), "the server panicked:\n{stderr}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- the server's standard error\n{}", self.stderr());
        } else {
            self.check();
        }
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    command.env_clear();
    command
}

/// The program in a process that ignores the signal which a write past the limit of a file's size brings.
fn limited() -> Command {
    let mut command = Command::new("sh");
    command.env_clear().args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_callboard")]);
    command
}

/// A process that listens and is ready.
struct Launched {
    child: Child,
    address: String,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

fn launch(setup: &Setup, world: &Path) -> Launched {
    let mut command = if setup.limited { limited() } else { program() };
    command.args(["serve", "--bind", "127.0.0.1:0", "--config"]).arg(world.join("callboard.toml"));
    let data = setup.data.clone().unwrap_or_else(|| world.join("data"));
    command.arg("--data-dir").arg(data).env("RUST_BACKTRACE", "1");
    let workspace = setup.workspace.clone().unwrap_or_else(|| world.join("workspace"));
    command.env("CALLBOARD_SERVER__WORKSPACE", workspace);
    if !setup.agents.is_empty() {
        command.env("CALLBOARD_SERVER__AGENTS_DIR", world.join("agents"));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stderr, reader) = collected(child.stderr.take().unwrap());
    let (stdout, mut readers) = (Arc::default(), vec![reader]);
    match listening(&mut child, &stdout, &mut readers)
        .and_then(|address| ready(&address, setup.config.contains("[tls]"), &mut child).map(|()| address))
    {
        Ok(address) => Launched { child, address, stderr, stdout, readers },
        Err(why) => {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{why}:\n{}", stderr.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What the process writes to its standard error, as it comes.
fn collected(mut from: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let piece = String::from_utf8_lossy(&bytes[..count]).into_owned();
            kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&piece);
        }
    });
    (text, reader)
}

/// The address in the line that says where the server listens.
fn listening(
    child: &mut Child,
    stdout: &Arc<Mutex<String>>,
    readers: &mut Vec<JoinHandle<()>>,
) -> Result<String, String> {
    let kept = stdout.clone();
    let keep = move |line: &String| {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{line}\n"));
    };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok).inspect(keep);
    let address = loop {
        let Some(line) = lines.next() else { return Err("the server did not start".to_owned()) };
        let listening = line.contains("listening");
        let address = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("http://").or_else(|| word.strip_prefix("https://")));
        if let (true, Some(address)) = (listening, address) {
            break address.trim_end_matches('/').to_owned();
        }
    };
    // The rest is read as well, so that the server never waits for its reader.
    readers.push(std::thread::spawn(move || lines.for_each(drop)));
    Ok(address)
}

/// Waits until the server says that it is ready.
fn ready(address: &str, tls: bool, child: &mut Child) -> Result<(), String> {
    use std::io::Write;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Under TLS the line itself must do: it is written when the server is ready.
        if tls {
            return Ok(());
        }
        if let Ok(mut socket) = std::net::TcpStream::connect(address) {
            let asked = socket.write_all(b"GET /health/ready HTTP/1.0\r\nHost: test\r\n\r\n");
            let mut answer = String::new();
            if asked.and_then(|()| socket.read_to_string(&mut answer)).is_ok() && answer.contains(" 200 ") {
                return Ok(());
            }
        }
        if child.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
            return Err("the server did not become ready".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
