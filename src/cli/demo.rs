//! `kagiya demo`: the worked example of the documents, to try.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::mpsc::channel;

use super::client::Client;
use super::key_output::KeyFile;
use super::node::{self, Node};
use super::welcome::{quoted, same_kagiya};
use super::{Failure, GlobalOptions, operator, print, serve};
use crate::app::DataFolder;
use crate::config::{Config, DatabaseUrl};
use crate::domain::random::SystemRandom;
use crate::server;
use crate::telemetry::logs;

/// Serves an example from a fresh data folder and prints what to try
///
/// A cart service calls a payment service: two resources with their permissions, an organization, and a working key, which
/// goes to a file. The printed curl lines trade it for a token. Ctrl-C stops it; kagiya serve goes on with the same data.
#[derive(Clone, Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya demo
  kagiya demo --data-dir /tmp/kagiya-demo --key-file /tmp/demo.key"#
)]
pub struct Options {
    /// Address and port to listen on [variable: KAGIYA_LISTEN] [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The new file for the key (mode 0600) [default: demo.key in the data folder]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

const CART: &str = "https://cart.example.com/api";
const PAYMENT: &str = "https://payment.example.com/api";

/// Makes the example and serves it until SIGTERM or SIGINT.
///
/// # Errors
/// A data folder that was used before, and whatever keeps `serve` from serving.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let listen = options.listen.clone();
    let config = globals.config(
        listen
            .map(|listen| ("listen", listen))
            .into_iter()
            .collect(),
    )?;
    logs::install(&config.log);
    node::block_on(demonstrate(&config, options, globals))
}

async fn demonstrate(
    config: &Config,
    options: &Options,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    let mut words = server::termination()?;
    refuse_used(config)?;
    let mut folder = DataFolder::hold(&config.database.data_dir)?;
    // Asked again, now that nobody else can make one.
    refuse_used(config)?;
    let path = options
        .key_file
        .clone()
        .unwrap_or_else(|| config.database.data_dir.join("demo.key"));
    let file = KeyFile::create(&path)?;
    let root = folder.root_secret(config, &SystemRandom)?;
    let node = Node::start(config, serve::opening(config, root)).await?;
    let server = node.reached_at();
    folder.announce(server.address, server.certificate.clone())?;
    let base = node.base();
    let token = operator::token(config, globals, None).await?;
    let client = Client::new(&server, token)?;
    let (stop, stopping) = channel(1);
    let showing = async {
        let made = example(&client).await;
        let shown = match made {
            Ok(issued) => file
                .write(issued["key"].as_str().unwrap_or_default())
                .and_then(|_| show(&issued, &path, &base, (config, globals))),
            Err(failure) => Err(failure),
        };
        if shown.is_ok() {
            tokio::select! {
                _ = words.recv() => {}
                () = stop.closed() => {}
            }
        }
        // Where the node has ended by itself there is nobody to tell.
        let _ = stop.send(()).await;
        shown
    };
    let (served, shown) = tokio::join!(node.serve(stopping), showing);
    drop(folder);
    shown.and(served)
}

fn refuse_used(config: &Config) -> Result<(), Failure> {
    let detail = match config.database.url() {
        DatabaseUrl::Postgres(_) => "the demo is for SQLite: leave the database URL out".to_owned(),
        DatabaseUrl::Sqlite(path) if operator::database_is_there(config) => format!(
            "the demo wants a fresh data folder, and {} was used before: name another with --data-dir, or serve that one with kagiya serve",
            path.display()
        ),
        DatabaseUrl::Sqlite(_) => return Ok(()),
    };
    Err(Failure::Refused {
        code: "not_fresh".to_owned(),
        detail,
    })
}

/// Makes everything through the API, as a person would; answers the key object with the key.
async fn example(client: &Client) -> Result<Value, Failure> {
    let permission =
        |name: &str, description: &str| json!({"name": name, "description": description});
    let organization = json!({"name": "Example shop", "slug": "example-shop"});
    let organization = client.post("/v1/organizations", &organization).await?;
    let cart = json!({
        "identifier": CART, "name": "Cart", "permissions": [permission("read:cart", "See a cart")],
    });
    client.post("/v1/resources", &cart).await?;
    let payment = json!({
        "identifier": PAYMENT, "name": "Payment",
        "permissions": [permission("read:payment", "See payments"), permission("write:payment", "Make a payment")],
    });
    client.post("/v1/resources", &payment).await?;
    let key = json!({
        "name": "checkout", "organization_id": organization["id"], "default_resource": PAYMENT,
        "permissions": [
            {"resource": CART, "scopes": ["read:cart"]},
            {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        ],
    });
    client.post("/v1/keys", &key).await
}

fn show(
    issued: &Value,
    path: &Path,
    base: &str,
    (config, globals): (&Config, &GlobalOptions),
) -> Result<(), Failure> {
    if globals.json {
        let mut answer = issued.clone();
        answer["key_file"] = path.to_string_lossy().into();
        answer["address"] = base.into();
        return print::json(&answer);
    }
    let key = issued["key"].as_str().unwrap_or_default();
    let kagiya = same_kagiya(config, globals);
    let (file, key_id) = (quoted(&path.to_string_lossy()), print::text(&issued["id"]));
    print::line(&format!(
        r#"kagiya serves the example on {base}. A cart service holds this key:

  {key}

It is in {file} too. In another terminal in this folder, trade it for a token for the payment service:

  curl -X POST -H "X-API-Key: $(cat {file})" {base}/v1/token

For less than the key may do, or for the cart service:

  curl -H "X-API-Key: $(cat {file})" -d scope=read:payment {base}/v1/token
  curl -H "X-API-Key: $(cat {file})" -d resource={CART} {base}/v1/token

What the key is, and the end of it:

  {kagiya} keys show {key_id}
  {kagiya} keys revoke {key_id}

Ctrl-C stops it."#
    ))
}
