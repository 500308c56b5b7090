//! What an operator does with the store: backup, restore, verify, export, import, retention; the program as it ships,
//! while it runs and while it does not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use harness::rest::get;
use harness::server::Server;
use harness::talk::{FAST, chat, publish};

fn callboard(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callboard")).args(args).env_clear().output().unwrap()
}

/// The one line of an error, for a run that ended with status 1.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// What it printed, for a run that did what it was asked. Nothing of progress: this is no terminal.
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said}");
    said
}

/// What a client can see of what was kept.
async fn seen(server: &Server) -> Value {
    json!({
        "talk": get(server, "/conversations/talk/messages?limit=1000", "").await,
        "news": get(server, "/channels/news/messages?limit=1000", "").await,
        "listed": get(server, "/conversations", "").await,
    })
}

async fn fill(server: &Server) {
    let mut client = server.client().await;
    for number in 0..20 {
        publish(&mut client, "news", json!({ "number": number, "words": "ü \"quoted\" \u{2028}" })).await;
    }
    chat(&mut client, "talk", "compute 6 * 7").await;
    chat(&mut client, "talk", "remember that tea is at four").await;
}

/// The first words of a server over a data folder: what was kept is there.
fn over(data: &Path) -> Server {
    let server = Server::start();
    fs::remove_dir_all(server.data()).unwrap();
    copy(data, &server.data());
    let mut server = server;
    server.restart();
    server
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match file.file_type().unwrap() {
            kind if kind.is_dir() => copy(&file.path(), &to.join(file.file_name())),
            kind if kind.is_file() => drop(fs::copy(file.path(), to.join(file.file_name())).unwrap()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_the_server_runs_is_restored_to_that_moment() {
    let mut server = Server::with(FAST);
    fill(&server).await;
    let key = server.tool(&["key", "create", "--tenant", "default", "--name", "ci"]);
    let then = seen(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let (backup, data) = (backup.to_str().unwrap(), server.data());
    let data = data.to_str().unwrap();

    // Under load: what is acknowledged before the backup begins is in it, and it is of one moment.
    let mut writer = server.client().await;
    let load = tokio::spawn(async move {
        let mut last = 0;
        while let Ok(()) =
            writer.try_send_raw(r#"{"id":"p","type":"publish","data":{"channel":"load","content":1}}"#).await
        {
            let harness::client::Heard::Json(told) = writer.heard().await else { break };
            // A server that stops says so.
            let Some(seq) = told["data"]["seq"].as_u64() else { break };
            last = seq;
        }
        last
    });
    let said = done(&callboard(&["backup", backup, "--data-dir", data]));
    assert!(said.starts_with("Backup of ") && said.lines().count() == 1, "{said}");
    assert!(done(&callboard(&["verify", "--data-dir", data])).ends_with("The store is sound.\n"));
    assert!(done(&callboard(&["verify", backup])).ends_with("The store is sound.\n"));
    assert!(refused(&callboard(&["backup", backup, "--data-dir", data])).contains("is not empty"));
    assert!(refused(&callboard(&["restore", backup, "--data-dir", data])).contains("a server runs on"));
    assert!(refused(&callboard(&["restore", backup, "--replace", "--data-dir", data])).contains("a server runs on"));

    let mut client = server.client().await;
    publish(&mut client, "news", json!("after the backup")).await;
    assert!(server.terminate().success());
    let last = load.await.unwrap();
    assert!(last > 0);
    assert!(refused(&callboard(&["restore", backup, "--data-dir", data])).contains("--replace"));
    let said = done(&callboard(&["restore", backup, "--replace", "--data-dir", data]));
    assert!(said.contains("What was there is in ") && said.contains("Restored the backup of "), "{said}");
    server.restart();
    assert_eq!(seen(&server).await["news"], then["news"]);
    assert_eq!(seen(&server).await["talk"], then["talk"]);
    get(&server, "/agents", &key).await;
    let mut client = server.client().await;
    assert_eq!(publish(&mut client, "news", json!("goes on")).await, 21);
    let recalled = chat(&mut client, "talk", "when is tea?").await;
    assert!(recalled["data"]["response"].as_str().unwrap().contains("at four"), "{recalled}");
    // Into a folder that was not there.
    let fresh = folder.path().join("fresh");
    done(&callboard(&["restore", backup, "--data-dir", fresh.to_str().unwrap()]));
    assert_eq!(seen(&over(&fresh)).await["talk"], then["talk"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_is_imported_with_its_numbers() {
    let mut server = Server::start();
    fill(&server).await;
    let then = seen(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = server.data().to_str().unwrap().to_owned();
    assert!(done(&callboard(&["export", &path("all.jsonl"), "--data-dir", &data])).starts_with("Exported "));
    let lines = fs::read_to_string(path("all.jsonl")).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()));
    assert!(refused(&callboard(&["export", &path("all.jsonl"), "--data-dir", &data])).contains("cannot be made"));
    assert!(refused(&callboard(&["import", &path("all.jsonl"), "--data-dir", &data])).contains("in use by another"));
    assert!(server.terminate().success());
    // Standard output, and the same whether the server runs or not.
    let out = callboard(&["export", "--data-dir", &data]);
    assert_eq!(String::from_utf8(out.stdout).unwrap(), lines);
    assert!(refused(&callboard(&["import", &path("all.jsonl"), "--data-dir", &data])).contains("not empty"));

    let imported = path("imported");
    let mut import = Command::new(env!("CARGO_BIN_EXE_callboard"));
    import.args(["import", "--data-dir", &imported]).env_clear().stdin(fs::File::open(path("all.jsonl")).unwrap());
    assert!(done(&import.stdout(Stdio::piped()).output().unwrap()).starts_with("Imported "));
    assert_eq!(seen(&over(Path::new(&imported))).await, then);

    fs::write(path("cut.jsonl"), &lines[..lines.len() - 40]).unwrap();
    let error = refused(&callboard(&["import", &path("cut.jsonl"), "--data-dir", &path("cut")]));
    assert!(error.contains("was not imported"), "{error}");
    assert!(!Path::new(&path("cut")).join("journal").exists(), "half an import is none");
    assert!(refused(&callboard(&["import", &path("nowhere"), "--data-dir", &path("new")])).contains("cannot be read"));
    assert!(!Path::new(&path("new")).exists(), "nothing was made");
}

#[test]
fn what_is_no_backup_or_no_store_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    assert!(refused(&callboard(&["restore", empty, "--data-dir", empty])).contains("no finished backup"));
    assert!(refused(&callboard(&["verify", empty])).contains("no finished backup"));
    assert!(refused(&callboard(&["verify", "--data-dir", empty])).contains("there is no journal"));
    assert!(refused(&callboard(&["export", "--data-dir", empty])).contains("there is no journal"));
    assert!(refused(&callboard(&["backup", "to", "--data-dir", empty])).contains("there is no journal"));
    assert_eq!(callboard(&["backup"]).status.code(), Some(2));
    assert!(!Path::new("to").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_found_and_changes_nothing() {
    let server = Server::start();
    fill(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    done(&callboard(&["backup", backup.to_str().unwrap(), "--data-dir", server.data().to_str().unwrap()]));
    let db = sled::open(backup.join("journal")).unwrap();
    let (key, value) = db.scan_prefix("s").nth(5).unwrap().unwrap();
    let mut changed = value.to_vec();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    db.insert(key, changed).unwrap();
    drop(db);
    let verified = callboard(&["verify", backup.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(1));
    let said =
        String::from_utf8(verified.stdout.clone()).unwrap() + &String::from_utf8(verified.stderr.clone()).unwrap();
    assert!(said.contains("damaged"), "{said}");
    let fresh = folder.path().join("fresh");
    let error = refused(&callboard(&["restore", backup.to_str().unwrap(), "--data-dir", fresh.to_str().unwrap()]));
    assert!(error.contains("damaged"), "{error}");
    assert!(!fresh.join("journal").exists());
}

fn unpacked(data: &Path, format: u32) {
    fs::create_dir_all(data).unwrap();
    let fixture = format!("tests/fixtures/store/journal-format-{format}.tar.gz");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture);
    assert!(Command::new("tar").arg("xzf").arg(fixture).arg("-C").arg(data).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_older_formats_open_and_read_right() {
    for format in [1, 2] {
        opens_and_reads_right(format).await;
    }
}

async fn opens_and_reads_right(format: u32) {
    let folder = tempfile::tempdir().unwrap();
    unpacked(folder.path(), format);
    let server = over(folder.path());
    let page = get(&server, "/channels/news/messages?limit=100", "").await;
    let numbers: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| m["content"]["number"].clone()).collect();
    assert_eq!(numbers, (1..=40).map(Value::from).collect::<Vec<_>>());
    assert_eq!(get(&server, "/conversations/talk", "").await["lead"], "sage");
    let talk = get(&server, "/conversations/talk/messages?limit=100", "").await;
    let words: Vec<_> = talk["messages"].as_array().unwrap().iter().filter_map(|m| m["content"].as_str()).collect();
    assert!(words.starts_with(&["compute 0 + 1", "0 + 1 = 1", "compute 1 + 1", "1 + 1 = 2"]), "{words:?}");
    assert!(words.contains(&"nyx handed the conversation over to sage: memory is needed"), "{words:?}");
    let big = get(&server, "/channels/big/messages", "").await;
    assert_eq!(big["messages"][0]["content"].as_str().unwrap().len(), 20_000);
    let mut client = server.client().await;
    let recalled = chat(&mut client, "talk", "when is tea?").await;
    assert!(recalled["data"]["response"].as_str().unwrap().contains("at four"), "{recalled}");
    assert_eq!(publish(&mut client, "news", json!(41)).await, 41);
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
}

#[test]
fn a_store_of_a_format_that_nobody_knows_yet_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    unpacked(folder.path(), 1);
    let db = sled::open(folder.path().join("journal")).unwrap();
    db.insert("mformat", &99_u32.to_be_bytes()).unwrap();
    drop(db);
    let said = refused(&callboard(&["serve", "--bind", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()]));
    assert!(said.contains("has format 99") && said.contains("Start a later version on it"), "{said}");
}

/// Bytes flipped and ends cut off at many places, from a seed: the store is refused with what to do, or it is walked and
/// the damage named, or it was not hit and everything is there. Never garbage, never a panic.
#[test]
fn damage_anywhere_is_refused_or_named_and_never_garbage() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    unpacked(&whole, 1);
    let export = |data: &Path| callboard(&["export", "--data-dir", data.to_str().unwrap()]);
    let lines = export(&whole);
    assert!(lines.status.success());
    // Most of the file is room: places at random would miss what is in it now and then, all forty of them.
    let bytes = fs::read(whole.join("journal/db")).unwrap();
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    let (mut state, mut hit) = (seed, 0);
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..40 {
        let data = folder.path().join(format!("round {round}"));
        copy(&whole, &data);
        let path = data.join("journal/db");
        let at = written[random(written.len())];
        if round % 4 == 3 {
            fs::File::options().write(true).open(&path).unwrap().set_len(at as u64).unwrap();
        } else {
            let mut bytes = bytes.clone();
            let many = 1 + random(200);
            bytes.iter_mut().skip(at).take(many).for_each(|byte| *byte ^= 0xA5);
            fs::write(&path, bytes).unwrap();
        }
        let shown = format!("seed {seed}, round {round}, at {at}");
        let verified = callboard(&["verify", "--data-dir", data.to_str().unwrap()]);
        let said = String::from_utf8(verified.stderr.clone()).unwrap() + &String::from_utf8_lossy(&verified.stdout);
        assert!(!said.contains("panicked"), "{shown}: {said}");
        match verified.status.code() {
            Some(0) => assert_eq!(export(&data).stdout, lines.stdout, "{shown}: something is missing without a word"),
            Some(1) => {
                hit += 1;
                assert!(said.contains("damaged") || said.contains("lost its end"), "{shown}: {said}");
                assert!(said.contains("estore "), "{shown}: what to do: {said}");
            }
            status => panic!("{shown}: {status:?} {said}"),
        }
        fs::remove_dir_all(&data).unwrap();
    }
    println!("{hit} of 40 hit");
    assert!(hit > 0, "seed {seed}: some of it must have hit");
}
