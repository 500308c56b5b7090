//! `callboard key`: API keys, made, listed and revoked; also while the server runs.

use callboard_actors::protocol::{Subject, TenantId};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::out::{self, Format};
use super::{DataArgs, ScopeArg, print, scopes, told};
use crate::auth::{KeyFile, KeyRecord, expose};

/// What `key` can do.
#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Make a key and print it, once: only its hash is kept.
    Create(CreateArgs),
    /// List the keys, without what is secret in them.
    List(ListArgs),
    /// Revoke a key by its id, or by its name where one key in use has it.
    Revoke(RevokeArgs),
}

/// What `key create` takes.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// The tenant that the key is good for.
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// Who holds it: the subject that the server sees.
    #[arg(long, value_parser = name)]
    name: Subject,
    /// What its holder may do; may be given several times. Without: everything but `admin`.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<ScopeArg>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `key list` takes.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `key revoke` takes.
#[derive(Args, Debug)]
pub(super) struct RevokeArgs {
    /// The key's id, as `key list` shows it, or its name.
    #[arg(value_name = "ID|NAME")]
    which: String,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create(args) => create(args),
        KeyCommand::List(args) => list(args),
        KeyCommand::Revoke(args) => revoke(args),
    }
}

fn create(args: CreateArgs) -> anyhow::Result<()> {
    let file = KeyFile::at(&args.data.folder()?);
    let (record, key) = file.create(args.tenant, args.name, scopes(&args.scopes))?;
    if args.format.json {
        let mut shown = object(&record);
        shown["key"] = expose(&key).into();
        return out::json(&shown);
    }
    print(&format!(
        "Key {} of {} in tenant {}. It is shown this once:\n{}",
        record.id,
        record.name,
        record.tenant,
        expose(&key)
    ))
}

fn list(args: ListArgs) -> anyhow::Result<()> {
    let records = KeyFile::at(&args.data.folder()?).list()?;
    if args.format.json {
        return out::json(&json!({ "keys": records.iter().map(object).collect::<Vec<_>>() }));
    }
    let rows: Vec<_> = records.iter().map(row).collect();
    print(
        &[vec!["ID           TENANT           NAME             CREATED                  STATE".to_owned()], rows]
            .concat()
            .join("\n"),
    )
}

/// A key without what is secret in it.
fn object(record: &KeyRecord) -> Value {
    let KeyRecord { id, tenant, name, created_at, .. } = record;
    let revoked = record.revoked_at.map(|at| at.to_string());
    json!({ "id": id, "tenant": tenant, "name": name, "created_at": created_at.to_string(), "revoked_at": revoked })
}

fn row(record: &KeyRecord) -> String {
    let state = record.revoked_at.map_or_else(|| "in use".to_owned(), |at| format!("revoked {at}"));
    let KeyRecord { id, tenant, name, created_at, .. } = record;
    format!("{id} {:<16} {:<16} {created_at} {state}", tenant.as_str(), name.as_str())
}

fn revoke(args: RevokeArgs) -> anyhow::Result<()> {
    let record = KeyFile::at(&args.data.folder()?).revoke(&args.which)?;
    if args.format.json {
        return out::json(&object(&record));
    }
    print(&format!("Key {} of {} in tenant {} is revoked.", record.id, record.name, record.tenant))
}

fn name(text: &str) -> Result<Subject, String> {
    told(Subject::parse("name", text))
}
