//! What `serve` says when it stands: where it listens, where the data is and, as long as there is no organization, how to make a
//! first key. It goes to standard error; standard output holds the request log.

use std::io::{self, Write};
use std::path::{self, Path, PathBuf};

use super::node::Node;
use super::{Failure, GlobalOptions};
use crate::app::root_secret;
use crate::config::{Config, DatabaseUrl, LogFormat};
use crate::store::organizations;
use crate::telemetry::logs::LineFormat;

/// Says it as text, or as one event where lines are JSON. The first steps are text unless JSON was asked for by name: they are read
/// once, by a person.
pub(super) async fn greet(
    node: &Node,
    config: &Config,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    let store = node.app().broker().store();
    let is_new = store
        .read(|connection| organizations::list(connection, (None, None), None, 1))
        .await?
        .is_empty();
    let (address, data) = (node.address(), absolute(&config.database.data_dir));
    let issuer = node.app().broker().issuer();
    let as_events = LineFormat::choose(config.log.format, &io::stderr()) == LineFormat::Json;
    if as_events && (!is_new || config.log.format == LogFormat::Json) {
        tracing::info!(
            address = %address,
            issuer = issuer.as_str(),
            data = %data.display(),
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );
        return Ok(());
    }
    let base = node.base();
    let mut text = format!("kagiya {} listens on {base}\n", env!("CARGO_PKG_VERSION"));
    if issuer.as_str() != base {
        text.push_str(&format!("  issuer       {issuer}\n"));
    }
    if let Some(metrics) = node.metrics_address() {
        text.push_str(&format!("  metrics      http://{metrics}/metrics\n"));
    }
    text.push_str(&format!("  data         {}\n", place(config, &data)));
    text.push_str(&format!(
        "  root secret  {}\n",
        root_secret_place(config, &data)
    ));
    if is_new {
        text.push_str(&first_steps(config, globals, &base));
    }
    if config.dashboard.enabled {
        text.push_str(&dashboard(node, config, globals).await?);
    }
    text.push_str("Ctrl-C stops it.\n");
    // Where standard error is closed there is nobody to greet.
    let _ = io::stderr().write_all(text.as_bytes());
    Ok(())
}

/// How a person calls this very kagiya again from another terminal, with what it needs to find the same data.
pub(super) fn same_kagiya(config: &Config, globals: &GlobalOptions) -> String {
    let mut words = vec![quoted(&globals.program)];
    let mut option = |name: &str, value: &Path| {
        words.push(format!("{name} {}", quoted(&value.to_string_lossy())));
    };
    if let Some(file) = &globals.config {
        option("--config", file);
    }
    if config.database.data_dir != Config::default().database.data_dir {
        option("--data-dir", &config.database.data_dir);
    }
    if let (Some(_), DatabaseUrl::Sqlite(file)) = (&globals.database_url, config.database.url()) {
        let url = format!("sqlite:{}", file.display());
        option("--database-url", Path::new(&url));
    }
    words.join(" ")
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The path without the working directory's help; as it is where the system does not know that.
pub(super) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn place(config: &Config, data: &Path) -> String {
    match config.database.url() {
        DatabaseUrl::Postgres(_) => format!("PostgreSQL (lock and address: {})", data.display()),
        DatabaseUrl::Sqlite(file) if absolute(&file).starts_with(data) => {
            data.display().to_string()
        }
        DatabaseUrl::Sqlite(file) => {
            format!("{} and {}", data.display(), absolute(&file).display())
        }
    }
}

fn root_secret_place(config: &Config, data: &Path) -> String {
    match (
        &config.secrets.root_secret,
        &config.secrets.root_secret_file,
    ) {
        (_, Some(file)) => absolute(file).display().to_string(),
        (Some(_), None) => "as given by the configuration".to_owned(),
        (None, None) => format!(
            "{}\n               Copy it to another place than the backup of the data: whoever has both has everything,\n               \
             and without it the data cannot be opened again.",
            root_secret::path(data).display()
        ),
    }
}

/// Where people go, and while nobody runs the deployment, the link by which somebody begins to.
async fn dashboard(
    node: &Node,
    config: &Config,
    globals: &GlobalOptions,
) -> Result<String, Failure> {
    let issuer = node.app().broker().issuer();
    let base = issuer.as_str().trim_end_matches('/');
    let Some(made) = node.app().broker().first_operator_link().await? else {
        return Ok(format!("The dashboard: {base}/dashboard\n"));
    };
    let ip = node.address().ip();
    if !ip.is_loopback() && !ip.is_unspecified() {
        let kagiya = same_kagiya(config, globals);
        return Ok(format!(
            "The dashboard: {base}/dashboard. Nobody runs it yet; a link for its first operator:\n  {kagiya} admin sign-in-link --anywhere\n"
        ));
    }
    let here = node.reached_here();
    Ok(format!(
        "The dashboard. Nobody runs it yet: open this link on this machine within 15 minutes, once, to be its operator:\n  \
         {here}/dashboard/links/{}\n",
        made.secret.expose()
    ))
}

fn first_steps(config: &Config, globals: &GlobalOptions, base: &str) -> String {
    let kagiya = same_kagiya(config, globals);
    let variables = if globals.environment.is_empty() {
        ""
    } else {
        ", with the same KAGIYA_… variables"
    };
    format!(
        r#"
A first key, from another terminal in this folder{variables}:
  {kagiya} organizations create "My organization" --slug my-organization
  {kagiya} resources create https://payment.example.com/api --permission read:payment --permission write:payment
  {kagiya} keys create --name first --organization my-organization --permission https://payment.example.com/api "read:payment write:payment"

The last one prints the key. Trade it for a token, the key kept out of the shell's history:
  read -rs KEY
  curl -X POST -H "X-API-Key: $KEY" {base}/v1/token

"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        for (word, shown) in [
            ("target/release/kagiya", "target/release/kagiya"),
            ("my data", "'my data'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
