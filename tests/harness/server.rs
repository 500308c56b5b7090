//! The server under test: the real program on a port of its own, over a data folder of its own.

use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// The secret that signs tokens; empty: the server makes its own.
    pub secret: String,
    /// Whether a write past the limit of a file's size is an error, as on a full disk, and not the process's end.
    pub limited: bool,
    /// The port; 0: one that is free.
    pub port: u16,
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

    /// The same with the agents that come with the server, beside those that are named.
    pub fn and_its_own_agents(self) -> Self {
        ["nyx", "aria", "sage"].into_iter().fold(self, |setup, name| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/agents/{name}.toml"));
            let file = std::fs::read_to_string(file).unwrap();
            let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with("name =")).collect();
            setup.agent(name, &lines.join("\n"))
        })
    }

    /// The same with a file in the workspace.
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Starts a server and waits until it is ready.
    pub fn start(self) -> Server {
        let mut server = self.begin();
        server.serving(PATIENCE);
        server
    }

    /// Starts a server, which may stand by for another.
    pub fn begin(self) -> Server {
        let world = tempfile::tempdir().unwrap();
        self.furnish(world.path());
        let Launched { child, stderr, stdout, readers } = launch(&self, world.path());
        Server { setup: self, world, child, address: String::new(), stderr, stdout, readers }
    }

    fn furnish(&self, world: &Path) {
        std::fs::write(world.join("callboard.toml"), &self.config).unwrap();
        std::fs::create_dir_all(world.join("workspace")).unwrap();
        let data = self.data.clone().unwrap_or_else(|| world.join("data"));
        if !self.secret.is_empty() && !data.join("secret").exists() {
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&data).unwrap();
            let mut file = std::fs::File::options();
            let mut file = file.create_new(true).write(true).mode(0o600).open(data.join("secret")).unwrap();
            file.write_all(self.secret.as_bytes()).unwrap();
        }
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

    /// Waits until the server says where it listens and is ready.
    pub fn serving(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let tls = self.setup.config.contains("[tls]");
        while !self.serves(tls) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server did not become ready: {ended:?}");
            assert!(Instant::now() < deadline, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn serves(&mut self, tls: bool) -> bool {
        if self.address.is_empty() {
            self.address = listening(&locked(&self.stdout)).unwrap_or_default();
        }
        // Under TLS the line itself must do: it is written when the server is ready.
        !self.address.is_empty() && (tls || ready(&self.address))
    }

    /// Waits until the server has written these words.
    pub fn says(&mut self, words: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.printed().contains(words) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server did not say {words:?}: {ended:?}");
            assert!(Instant::now() < deadline, "the server does not say {words:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens, `127.0.0.1:port`; empty until `serving`.
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
        self.begin_again();
        self.serving(PATIENCE);
    }

    /// The same for a server that may stand by for another.
    pub fn begin_again(&mut self) {
        self.kill9();
        self.check();
        let Launched { child, stderr, stdout, readers } = launch(&self.setup, self.world.path());
        (self.child, self.stderr, self.stdout, self.readers) = (child, stderr, stdout, readers);
        self.address.clear();
    }

    /// Sends SIGTERM.
    pub fn begin_to_terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, named without `SIG`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name} failed");
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for(PATIENCE)
    }

    /// The same with a patience of its own.
    pub fn wait_for(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
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
        locked(&self.stderr).clone()
    }

    /// All that the process has written.
    pub fn printed(&self) -> String {
        locked(&self.stdout).clone() + &self.stderr()
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

/// A process, and what it writes.
struct Launched {
    child: Child,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

fn launch(setup: &Setup, world: &Path) -> Launched {
    let mut command = if setup.limited { limited() } else { program() };
    let address = format!("127.0.0.1:{}", setup.port);
    command.args(["serve", "--bind", &address, "--config"]).arg(world.join("callboard.toml"));
    let data = setup.data.clone().unwrap_or_else(|| world.join("data"));
    command.arg("--data-dir").arg(data).env("RUST_BACKTRACE", "1");
    let workspace = setup.workspace.clone().unwrap_or_else(|| world.join("workspace"));
    command.env("CALLBOARD_SERVER__WORKSPACE", workspace);
    if !setup.agents.is_empty() {
        command.env("CALLBOARD_SERVER__AGENTS_DIR", world.join("agents"));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stderr, errors) = collected(child.stderr.take().unwrap());
    let (stdout, lines) = collected(child.stdout.take().unwrap());
    Launched { child, stderr, stdout, readers: vec![errors, lines] }
}

/// What the process writes, as it comes.
fn collected(mut from: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let piece = String::from_utf8_lossy(&bytes[..count]).into_owned();
            locked(&kept).push_str(&piece);
        }
    });
    (text, reader)
}

fn locked(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address in the line that says where the server listens, once all of it is written.
fn listening(printed: &str) -> Option<String> {
    let (whole, _) = printed.rsplit_once('\n')?;
    let mut words = whole.lines().filter(|line| line.contains("listening")).flat_map(str::split_whitespace);
    let address = words.find_map(|word| word.strip_prefix("http://").or_else(|| word.strip_prefix("https://")))?;
    Some(address.trim_end_matches('/').to_owned())
}

/// Whether the server says that it is ready.
fn ready(address: &str) -> bool {
    let Ok(mut socket) = std::net::TcpStream::connect(address) else { return false };
    let asked = socket.write_all(b"GET /health/ready HTTP/1.0\r\nHost: test\r\n\r\n");
    let mut answer = String::new();
    asked.and_then(|()| socket.read_to_string(&mut answer)).is_ok() && answer.contains(" 200 ")
}
