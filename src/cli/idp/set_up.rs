//! `kagiya idp setup`: in the command's own process, so that the server never sees an administrator's credentials.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::client::{self, First};
use super::super::{Failure, GlobalOptions, node, print};
use super::credentials::credentials;
use super::path;
use crate::app::providers::{self, Makings};
use crate::config::Config;
use crate::domain::clock::SystemClock;
use crate::domain::provider_name::ProviderName;
use crate::domain::random::SystemRandom;
use crate::idp::ResourceState;
use crate::idp::setup::{Ground, How, Step};
use crate::telemetry::metrics::Metrics;

pub(super) fn set_up(name: &ProviderName, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    let section = configured(&config, name)?;
    let credentials = credentials(globals)?;
    let ground = client::call(globals, First::Allowed, async |client| {
        client.get(&path(name, "")).await
    })?;
    let ground = read_ground(&ground)?;
    let makings = Makings {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        metrics: Arc::new(Metrics::new()),
    };
    let provider = providers::provider(&config, section, &makings)?;
    let steps = node::block_on(async {
        let steps = provider.set_up(&credentials, &ground).await;
        steps.map_err(|error| refusal(&error))
    })?;
    let changed = steps
        .iter()
        .filter(|step| matches!(step.how, How::Made | How::Changed))
        .count();
    if globals.json {
        let steps: Vec<Value> = steps
            .iter()
            .map(|step| json!({"what": step.what, "how": word(step)}))
            .collect();
        return print::json(&json!({"changed": changed, "steps": steps}));
    }
    for step in &steps {
        print::line(&format!("{:20} {}", step.how.as_str(), step.what))?;
    }
    print::line(&match changed {
        0 => format!("{name} is as it must be: nothing was changed"),
        1 => format!("{name} is prepared: 1 change"),
        changed => format!("{name} is prepared: {changed} changes"),
    })
}

fn word(step: &Step) -> &'static str {
    match step.how {
        How::Made => "made",
        How::Changed => "changed",
        How::Unchanged => "unchanged",
        How::ByHand => "by_hand",
    }
}

fn configured<'a>(
    config: &'a Config,
    name: &ProviderName,
) -> Result<&'a crate::config::IdentityProvider, Failure> {
    let found = config.identity_providers.iter();
    let mut found = found.filter(|section| section.name == *name);
    found.next().ok_or_else(|| Failure::Refused {
        code: "no_such_provider".to_owned(),
        detail: format!("the configuration has no identity provider {name} (--config)"),
    })
}

fn refusal(error: &crate::idp::Error) -> Failure {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Failure::Refused {
        code: "identity_provider_unavailable".to_owned(),
        detail,
    }
}

fn read_ground(answer: &Value) -> Result<Ground, Failure> {
    let odd = || Failure::Refused {
        code: "unexpected_answer".to_owned(),
        detail: "the server does not say what the provider has to know".to_owned(),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let resources = answer["resources"].as_array().ok_or_else(odd)?;
    let resource = |resource: &Value| {
        let permissions = resource["permissions"].as_array()?;
        let permission = |permission: &Value| {
            let name = permission["name"].as_str()?.parse().ok()?;
            Some((name, text(&permission["description"])))
        };
        Some(ResourceState {
            identifier: resource["identifier"].as_str()?.parse().ok()?,
            name: text(&resource["name"]),
            token_lifetime: u32::try_from(resource["token_lifetime"].as_u64()?).ok()?,
            permissions: permissions.iter().filter_map(permission).collect(),
        })
    };
    Ok(Ground {
        issuer: text(&answer["issuer"]).ok_or_else(odd)?,
        jwks_uri: text(&answer["jwks_uri"]).ok_or_else(odd)?,
        resources: resources.iter().filter_map(resource).collect(),
    })
}
