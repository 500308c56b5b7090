//! Where the lines of a chat come from: a person at a terminal, with history and editing, or a pipe.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc as threads;

use futures_util::FutureExt;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter};
use tokio::io::{AsyncBufReadExt, BufReader, Stdin, stdin};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::out;

/// Lines that are remembered from one chat to the next.
const HISTORY: usize = 1000;

/// The lines.
pub(super) enum Lines {
    /// Of a person.
    Terminal(Terminal),
    /// Of a program or file.
    Pipe(Box<tokio::io::Lines<BufReader<Stdin>>>),
}

/// A thread that edits lines, for the library that does it waits for keys.
pub(super) struct Terminal {
    prompts: threads::Sender<String>,
    lines: mpsc::Receiver<Result<Option<String>, ReadlineError>>,
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// Whether a line is being written.
    prompted: bool,
    /// Ctrl-C, from the beginning on: it never ends the chat itself. While a line is written it is a key like others.
    interruptions: Signal,
}

impl Lines {
    /// Those of standard input.
    pub fn open() -> anyhow::Result<Self> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return Ok(Self::Terminal(Terminal::open()?));
        }
        Ok(Self::Pipe(Box::new(BufReader::new(stdin()).lines())))
    }

    /// Whether a person writes them.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next line, asked for with `prompt` where somebody sees it; `None` at the end. May be dropped while it
    /// waits: the next call goes on waiting for the same line.
    pub async fn next(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        match self {
            Self::Terminal(terminal) => terminal.next(prompt).await,
            Self::Pipe(lines) => Ok(lines.next_line().await?),
        }
    }

    /// Waits for Ctrl-C. In a pipe the signal ends the program, as it ends others.
    pub async fn interrupted(&mut self) {
        match self {
            Self::Terminal(Terminal { interruptions, .. }) => {
                interruptions.recv().await;
            }
            Self::Pipe(_) => pending().await,
        }
    }

    /// Forgets a Ctrl-C that was meant for what is over.
    pub fn forget_interruptions(&mut self) {
        self.interrupted().now_or_never();
    }

    /// Writes a line above the one that is being written.
    pub fn above(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Terminal(Terminal { printer: Some(printer), prompted: true, .. }) => {
                let coloured = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
                let text = if coloured { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
                Ok(printer.print(format!("{text}\n"))?)
            }
            Self::Terminal(_) | Self::Pipe(_) => out::line(text),
        }
    }
}

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let config = Config::builder().max_history_size(HISTORY)?.auto_add_history(true).build();
        let mut editor = DefaultEditor::with_config(config)?;
        let history = history();
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        let printer = editor.create_external_printer().ok();
        let (prompts, asked) = threads::channel::<String>();
        // One line at a time is asked for.
        let (answers, lines) = mpsc::channel(1);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || edit(editor, &asked, &answers, history))?;
        let printer = printer.map(|printer| Box::new(printer) as Box<dyn ExternalPrinter + Send>);
        let interruptions = signal(SignalKind::interrupt())?;
        Ok(Self { prompts, lines, printer, prompted: false, interruptions })
    }

    async fn next(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        if !self.prompted {
            self.prompts.send(prompt.to_owned())?;
            self.prompted = true;
        }
        let line = self.lines.recv().await;
        self.prompted = false;
        Ok(line.transpose()?.flatten())
    }
}

/// Edits a line for each prompt, until nobody asks or the person ends it.
fn edit(
    mut editor: DefaultEditor,
    prompts: &threads::Receiver<String>,
    answers: &mpsc::Sender<Result<Option<String>, ReadlineError>>,
    history: Option<PathBuf>,
) {
    while let Ok(prompt) = prompts.recv() {
        let answer = match editor.readline(&prompt) {
            Ok(line) => Ok(Some(line)),
            // The line is given up; the chat is not.
            Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
            Err(ReadlineError::Eof) => Ok(None),
            Err(error) => Err(error),
        };
        if let Some(path) = &history {
            // A history that cannot be kept is no reason to stop.
            let _ = editor.append_history(path);
        }
        if answers.blocking_send(answer).is_err() {
            return;
        }
    }
}

/// The file of what was written before, in the folder of the person's state, which is made where it is missing.
fn history() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let folder = state.join("callboard");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
