//! Fills a data folder with keys for the benchmark, through the same use cases as the server, many at once.
//!
//! `seed_keys --data-dir DIR [--database-url URL] --algorithm ES256|EdDSA|RS256 --count N`: only keys on standard output, a key a line.
//! Appends when it is called again; each algorithm has a resource of its own, and each key permissions on that one.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use backon::{ConstantBuilder, Retryable};
use clap::Parser;
use futures_util::{StreamExt, stream};
use kagiya::app::{App, DataFolder, Surroundings};
use kagiya::broker::keys::{IssuedKey, NewKey};
use kagiya::broker::{self, Broker, Caller, NewOrganization, NewPermission, NewResource, Standing};
use kagiya::config::{Config, Environment, Sources};
use kagiya::domain::algorithm::SigningAlgorithm;
use kagiya::domain::audit::Origin;
use kagiya::domain::clock::SystemClock;
use kagiya::domain::id::OrganizationId;
use kagiya::domain::random::SystemRandom;
use kagiya::domain::resource::ResourceIdentifier;
use kagiya::domain::scope::ScopeToken;
use kagiya::store;
use kagiya::telemetry::logs::LineFormat;

/// Creations under way at once: they share commits.
const AT_ONCE: usize = 128;

#[derive(Parser)]
struct Options {
    #[arg(long)]
    data_dir: String,
    #[arg(long)]
    database_url: Option<String>,
    #[arg(long)]
    algorithm: SigningAlgorithm,
    #[arg(long)]
    count: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut flags = vec![("data_dir", options.data_dir)];
    flags.extend(options.database_url.map(|url| ("database_url", url)));
    let environment: Environment = std::env::vars_os().collect();
    let config = Config::load(&Sources {
        file: None,
        environment,
        flags,
    })?;
    let folder = DataFolder::hold(&config.database.data_dir)?;
    let root = folder.root_secret(&config, &SystemRandom)?;
    let issuer = config.listener.issuer.clone().ok_or("set KAGIYA_ISSUER")?;
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        root_file: None,
        providers: Vec::new(),
        log: Box::new(std::io::sink()),
        log_format: LineFormat::Json,
    };
    let app = App::start(&config, issuer, root, surroundings).await?;
    let broker = Arc::clone(app.broker());
    let caller = Caller {
        actor: "operator:bench".into(),
        organization_id: None,
        scopes: Default::default(),
        standing: Standing::Operator,
    };
    let (identifier, scope) = resource(&broker, &caller, options.algorithm).await?;
    let organization = organization(&broker, &caller).await?;
    let (broker, caller) = (&*broker, &caller);
    let keys = stream::iter(0..options.count).map(|number| {
        let new = NewKey {
            name: format!("bench {number}"),
            organization,
            owner: None,
            permissions: [(identifier.clone(), scope.clone())].into_iter().collect(),
            default_resource: None,
            expires_at: None,
            metadata: Default::default(),
            allowed_cidrs: None,
            rate_limit: None,
            may_act: None,
            provider: None,
            self_rotate: false,
        };
        create(broker, caller, new)
    });
    let mut keys = keys.buffer_unordered(AT_ONCE);
    let mut output = std::io::BufWriter::new(std::io::stdout());
    let mut made = 0;
    while let Some(issued) = keys.next().await {
        writeln!(output, "{}", issued?.key.expose())?;
        made += 1;
        if made % 50_000 == 0 {
            eprintln!("{made} keys");
        }
    }
    drop(keys);
    output.flush()?;
    app.stop().await;
    Ok(())
}

/// A machine that is busy with other things may let a call wait too long: then it is made again.
async fn create(broker: &Broker, caller: &Caller, new: NewKey) -> Result<IssuedKey, broker::Error> {
    let create = || broker.create_key(new.clone(), caller, Origin::server(), None);
    create
        .retry(ConstantBuilder::default().with_max_times(10))
        .when(|error| {
            matches!(
                error,
                broker::Error::Store(store::Error::Unavailable { .. })
            )
        })
        .await
}

async fn resource(
    broker: &Broker,
    caller: &Caller,
    algorithm: SigningAlgorithm,
) -> Result<(ResourceIdentifier, ScopeToken), Box<dyn Error>> {
    let identifier: ResourceIdentifier =
        format!("https://{algorithm}.bench.example.com").parse()?;
    let scope: ScopeToken = "read:bench".parse()?;
    let there = broker
        .resources(caller, None, None, 200)
        .await?
        .iter()
        .any(|resource| resource.identifier == identifier);
    if !there {
        let new = NewResource {
            identifier: identifier.clone(),
            name: None,
            token_lifetime: None,
            signing_algorithm: Some(algorithm),
            metadata_claims: Default::default(),
            permissions: vec![NewPermission {
                name: scope.clone(),
                description: None,
            }],
        };
        broker
            .create_resource(new, caller, Origin::server(), None)
            .await?;
    }
    Ok((identifier, scope))
}

async fn organization(broker: &Broker, caller: &Caller) -> Result<OrganizationId, Box<dyn Error>> {
    if let Some(found) = broker.organizations(caller, None, None, 1).await?.pop() {
        return Ok(found.organization.id);
    }
    let new = NewOrganization {
        name: "bench".to_owned(),
        slug: None,
        metadata: Default::default(),
        permissions: None,
        max_keys: None,
        owner_gone: Default::default(),
    };
    Ok(broker
        .create_organization(new, caller, Origin::server(), None)
        .await?
        .organization
        .id)
}
