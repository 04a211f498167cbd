//! Layers, refusals and the example file, tried on whole configurations.

use std::fs;

use super::*;

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Settings of the example whose shown value is not the default, because there is none or it is found at start.
const WITHOUT_FIXED_DEFAULT: [&str; 26] = [
    "issuer",
    "workers",
    "database_url",
    "database_url_file",
    "root_secret",
    "root_secret_file",
    "drain_seconds",
    "metrics_listen",
    "cert",
    "key",
    "default_permissions",
    "client_id",
    "client_secret",
    "client_secret_file",
    "audience",
    "operators",
    "audit_days",
    "routes",
    "proxy",
    "application_id",
    "scopes",
    "memberships",
    "logo",
    "accent",
    "accent_dark",
    "support",
];

/// Settings that are lists of tables, which no variable holds.
const IN_THE_FILE_ALONE: [&str; 4] = [
    "routes",
    "organizations.default_permissions",
    "sign_in.operators",
    "sign_in.memberships",
];

fn load_with(
    text: &str,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kagiya.toml");
    fs::write(&file, text).unwrap();
    Config::load(&Sources {
        file: Some(file),
        environment: variables.iter().copied().collect(),
        flags: flags
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
    })
}

/// The message, without the folder of the file.
fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    let message = load_with(text, variables, &[]).unwrap_err().to_string();
    let without_folder = |line: &str| match line.find("kagiya.toml, line") {
        Some(at) => line[at..].to_owned(),
        None => line.to_owned(),
    };
    message
        .lines()
        .map(without_folder)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn nothing_given_is_the_default() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.listener.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(
        format!("{:?}", config.database.url()),
        "sqlite:./kagiya-data/kagiya.db"
    );
    assert_eq!(config.drain(), Duration::ZERO);
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let file = "workers = 1\n[token]\nlifetime_seconds = 60\nreuse_seconds = 5\n";
    let variables = [
        ("KAGIYA_WORKERS", "2"),
        ("KAGIYA_TOKEN_LIFETIME_SECONDS", "120"),
    ];
    let config = load_with(file, &variables, &[("workers", "3")]).unwrap();
    assert_eq!(config.listener.workers.unwrap().get(), 3);
    assert_eq!(config.token.lifetime_seconds, 120);
    assert_eq!(config.token.reuse_seconds, 5);
}

#[test]
fn text_of_a_variable_takes_the_type_of_its_setting() {
    let variables = [
        ("KAGIYA_ACCEPT_NEW_ISSUER", "true"),
        (
            "KAGIYA_TRUSTED_PROXIES",
            "10.1.2.3/8, 192.0.2.7,::ffff:192.0.2.8",
        ),
        ("KAGIYA_KEYS_ACCEPTED_PREFIXES", "old,older"),
        ("KAGIYA_KEYS_PREFIX", "shop"),
        ("KAGIYA_SIGNING_ROTATE_AFTER", "30d"),
        ("KAGIYA_SIGNING_DEFAULT_ALGORITHM", "EdDSA"),
        ("KAGIYA_LOG_FORMAT", "json"),
        ("KAGIYA_SHUTDOWN_DRAIN_SECONDS", "7"),
        ("KAGIYA_ISSUER", ""),
        ("KAGIYA_TEST_POSTGRES_URL", "whatever"),
        ("PATH", "/bin"),
    ];
    let config = load_with("", &variables, &[]).unwrap();
    assert!(config.listener.accept_new_issuer);
    let proxies: Vec<_> = config
        .listener
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32", "192.0.2.8/32"]);
    assert_eq!(config.keys.prefixes().accepted().len(), 3);
    assert_eq!(
        config.signing.rotate_after,
        Duration::from_secs(30 * 86_400)
    );
    assert_eq!(config.signing.default_algorithm.as_str(), "EdDSA");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.drain(), Duration::from_secs(7));
    assert!(config.listener.issuer.is_none());
}

#[test]
fn the_file_can_be_named_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    fs::write(&file, "[cache]\nkeys = 500\n").unwrap();
    let environment = [("KAGIYA_CONFIG", file.to_str().unwrap())]
        .into_iter()
        .collect();
    let config = Config::load(&Sources {
        environment,
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.cache.keys, 500);
}

#[test]
fn unknown_names_are_refused_all_at_once_with_the_nearest() {
    let text = "lisen = \"127.0.0.1:1\"\nlifetime_seconds = 3\n[token]\nreuse_second = 1\n[tokens]\nx = 1\n";
    let expected = "\
kagiya.toml, line 1: the setting lisen is not known; did you mean listen?
kagiya.toml, line 2: the setting lifetime_seconds is not known; did you mean token.lifetime_seconds?
kagiya.toml, line 4: the setting token.reuse_second is not known; did you mean token.reuse_seconds?
kagiya.toml, line 5: the setting tokens is not known; did you mean token?
the variable KAGIYA_LISTN is not known; did you mean KAGIYA_LISTEN?
the variable KAGIYA_ZEBRA is not known";
    assert_eq!(
        refusal(text, &[("KAGIYA_LISTN", "x"), ("KAGIYA_ZEBRA", "x")]),
        expected
    );
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, expected) in [
        (
            "[token]\nlifetime_seconds = 29",
            "kagiya.toml, line 2: token.lifetime_seconds must be from 30 to 3600",
        ),
        (
            "[token]\nreuse_seconds = 300",
            "kagiya.toml, line 2: token.reuse_seconds must be less than token.lifetime_seconds",
        ),
        ("token = 5", "kagiya.toml, line 1: token must be a table"),
        (
            "listen = \"localhost\"",
            "kagiya.toml, line 1: listen must be an address and a port, such as 127.0.0.1:8787 or [::1]:8787",
        ),
        (
            "trusted_proxies = [\"::/0\"]",
            "kagiya.toml, line 1: trusted_proxies must not hold everybody: any caller could then claim any address",
        ),
        (
            "issuer = \"https://a.example/\"",
            "kagiya.toml, line 1: issuer must have no query, fragment, user name or trailing slash",
        ),
        (
            "[signing]\nrotate_after = \"1m\"",
            "kagiya.toml, line 2: signing.rotate_after must be from 1h to 3650d",
        ),
        (
            "database_url = \"mysql://me:hunter2@db\"",
            "kagiya.toml, line 1: database_url must begin with sqlite: or postgres://",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "kagiya.toml, line 2: log.level must be error, warn, info, debug or trace, or such as info,kagiya::store=debug",
        ),
        (
            "[keys]\naccepted_prefixes = [\"ok\", \"No\"]",
            "kagiya.toml, line 2: keys.accepted_prefixes[1] must be a lower-case letter followed by 1 to 15 lower-case letters \
             or digits",
        ),
    ] {
        assert_eq!(refusal(text, &[]), expected, "{text}");
    }
    assert_eq!(
        refusal("", &[("KAGIYA_CACHE_KEYS", "many")]),
        "KAGIYA_CACHE_KEYS: cache.keys must be a whole number"
    );
    assert!(
        refusal("listen = \"127.0.0.1:1\"\nworkers = = 2", &[])
            .starts_with("kagiya.toml, line 2, column 11: ")
    );
}

#[test]
fn no_refusal_repeats_a_secret() {
    let secret = "1234567890123456789012345678901234567890";
    for text in [
        format!("root_secret = {secret}"),
        "root_secret = 1234567".to_owned(),
        "root_secret = \"1234567\"".to_owned(),
        "root_secret = \"1234567".to_owned(),
        "database_url = 1234567".to_owned(),
        "database_url = \"1234567\"".to_owned(),
    ] {
        let message = refusal(&text, &[]);
        assert!(!message.contains("1234567"), "{text}: {message}");
    }
}

#[test]
fn a_secret_comes_as_a_value_or_from_a_file_but_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let secret = "a root secret of more than 32 bytes";
    fs::write(&file, format!("{secret}\r\n")).unwrap();
    let path = file.to_str().unwrap();

    let config = load_with("", &[("KAGIYA_ROOT_SECRET_FILE", path)], &[]).unwrap();
    assert_eq!(config.secrets.root_secret.unwrap().expose(), secret);

    let both = refusal(
        &format!("root_secret = \"{secret}\""),
        &[("KAGIYA_ROOT_SECRET_FILE", path)],
    );
    assert!(
        both.ends_with(
            "root_secret_file is given beside root_secret: give one of them, in whatever place"
        ),
        "{both}"
    );

    let short = refusal("", &[("KAGIYA_ROOT_SECRET", "short")]);
    assert_eq!(
        short,
        "KAGIYA_ROOT_SECRET: root_secret must hold at least 32 bytes"
    );

    fs::write(&file, "postgres://me:hunter2@db/kagiya\n").unwrap();
    let config = load_with("", &[("KAGIYA_DATABASE_URL_FILE", path)], &[]).unwrap();
    assert_eq!(format!("{:?}", config.database.url()), "postgres://…");
}

#[test]
fn beyond_this_machine_needs_tls_and_an_issuer() {
    let listen = "listen = \"0.0.0.0:8787\"\n";
    assert!(refusal(listen, &[]).contains("keys would cross the network in clear"));
    assert!(
        refusal(listen, &[("KAGIYA_INSECURE_HTTP", "true")]).contains("the issuer must be given")
    );
    assert!(
        refusal(listen, &[("KAGIYA_TRUSTED_PROXIES", "10.0.0.1")])
            .contains("the issuer must be given")
    );
    let issuer = ("KAGIYA_ISSUER", "https://keys.example.com");
    let config = load_with(
        listen,
        &[issuer, ("KAGIYA_TRUSTED_PROXIES", "10.0.0.1")],
        &[],
    )
    .unwrap();
    assert_eq!(config.drain(), Duration::from_secs(5));

    load_with("listen = \"[::ffff:127.0.0.1]:1\"", &[], &[]).unwrap();
}

/// The settings of the example as `(table, name, line)`: a line of prose begins with `# `, one with a setting with `#`.
fn settings_of_example() -> Vec<(Option<&'static str>, &'static str, &'static str)> {
    let mut table = None;
    let mut settings = Vec::new();
    let mut in_list = false;
    for line in EXAMPLE.lines() {
        let Some(line) = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' ') && !rest.is_empty())
        else {
            continue;
        };
        if line.starts_with('[') {
            in_list = line.starts_with("[[");
        }
        match line.split_once(" = ") {
            _ if in_list => {}
            Some((name, _)) => settings.push((table, name, line)),
            None => table = Some(line.trim_matches(['[', ']'])),
        }
    }
    settings
}

#[test]
fn the_example_as_it_is_changes_nothing() {
    let config = load_with(EXAMPLE, &[], &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_example_uncommented_is_the_default() {
    let mut text = String::new();
    let mut table = None;
    for (in_table, name, line) in settings_of_example() {
        if in_table != table {
            table = in_table;
            text.push_str(&format!("[{}]\n", table.unwrap()));
        }
        if !WITHOUT_FIXED_DEFAULT.contains(&name) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let config = load_with(&text, &[], &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_values_that_the_example_shows_without_being_defaults_are_right_too() {
    // By table, as some belong together.
    let mut tables = std::collections::BTreeMap::<_, String>::new();
    for (table, name, line) in settings_of_example() {
        if WITHOUT_FIXED_DEFAULT.contains(&name) && !name.ends_with("_file") {
            let text = tables
                .entry(table)
                .or_insert_with(|| table.map_or_else(String::new, |table| format!("[{table}]\n")));
            text.push_str(line);
            text.push('\n');
        }
    }
    for text in tables.values() {
        load_with(text, &[], &[]).unwrap();
    }
}

#[test]
fn the_example_shows_every_setting_and_its_variable() {
    let sources = Sources::default();
    let mut layers = Layers::read(&sources).unwrap();
    Config::take(&mut layers).unwrap();
    let shown: Vec<String> = settings_of_example()
        .into_iter()
        .map(|(table, name, _)| table.map_or(name.to_owned(), |table| format!("{table}.{name}")))
        .collect();
    assert_eq!(
        shown, layers.known,
        "the example shows the settings in the order of the structs"
    );
    assert_eq!(
        EXAMPLE.matches("In this file alone.").count(),
        IN_THE_FILE_ALONE.len()
    );
    for name in layers.known {
        if IN_THE_FILE_ALONE.contains(&name.as_str()) {
            continue;
        }
        let variable = environment::variable(&name);
        assert!(
            EXAMPLE.contains(&format!("\n# {variable}")),
            "{variable} is not in the example"
        );
    }
}

/// The lines of the example's one identity provider.
fn provider_of_example() -> Vec<&'static str> {
    let (_, list) = EXAMPLE.split_once("\n#[[identity_providers]]").unwrap();
    let (list, _) = list.split_once("\n#[").unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' ') && !line.is_empty())
        .collect()
}

#[test]
fn the_example_of_a_provider_shows_every_setting_with_its_default() {
    let source = include_str!("identity_providers.rs");
    let documented = source.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("    /// `")?.split_once("`:")?;
        Some(name)
    });
    // Settings of providers that are refused so far.
    let later = [
        "connection",
        "management_api",
        "management_calls_per_second",
    ];
    let documented: Vec<&str> = documented.filter(|name| !later.contains(name)).collect();
    let name = |line: &&'static str| line.split_once(" = ").unwrap().0;
    let shown: Vec<&str> = provider_of_example().iter().map(name).collect();
    assert_eq!(shown, documented);

    let must = ["name", "kind", "url"];
    let none = [
        "issuer",
        "jwks_uri",
        "people_realm",
        "login_client_secret",
        "admin_client_secret",
        "login_client_secret_file",
        "admin_client_secret_file",
    ];
    let list = |wanted: &dyn Fn(&str) -> bool| {
        let lines = provider_of_example().into_iter();
        let lines: Vec<&str> = lines.filter(|line| wanted(name(line))).collect();
        let text = format!("[[identity_providers]]\n{}", lines.join("\n"));
        load_with(&text, &[], &[]).unwrap().identity_providers
    };
    list(&|name| !name.ends_with("_file"));
    let (whole, least) = (
        list(&|name| !none.contains(&name)),
        list(&|name| must.contains(&name)),
    );
    // What has its default only where it is used.
    let settled = |mut provider: IdentityProvider| {
        provider.sign_in = provider.sign_in.or(Some(SignInWay::JwtBearer));
        provider.max_rights_age = Some(provider.rights_age());
        provider.realm = provider.realm.or(Some("kagiya".to_owned()));
        provider.login_client_id = provider.login_client_id.or(Some("kagiya-login".to_owned()));
        provider.admin_client_id = provider.admin_client_id.or(Some("kagiya-admin".to_owned()));
        format!("{provider:?}")
    };
    assert_eq!(settled(whole[0].clone()), settled(least[0].clone()));
}

#[test]
fn what_is_wrong_with_a_provider_is_refused_with_its_place() {
    let provider = "[[identity_providers]]\nname = \"corp\"\nkind = \"keycloak\"\nurl = \"https://sso.example.com\"\n";
    for (line, told) in [
        ("name = \"builtin\"", "identity_providers[0].name"),
        ("kind = \"ldap\"", "must be keycloak, auth0 or logto"),
        ("url = \"http://sso.example.com\"", "must be an https URL"),
        (
            "url = \"https://sso.example.com?x\"",
            "must be an https URL",
        ),
        ("max_rights_age = 3601", "max_rights_age"),
        ("max_outage = 3601", "max_outage"),
        ("answer = \"both\"", "must be mint or passthrough"),
        ("connection = \"keys\"", "is not a setting of keycloak"),
        ("reelm = \"kagiya\"", "identity_providers[0].reelm"),
    ] {
        let name = line.split(' ').next().unwrap();
        let kept: Vec<&str> = provider
            .lines()
            .filter(|line| !line.starts_with(name))
            .collect();
        let refusal = refusal(&format!("{}\n{line}\n", kept.join("\n")), &[]);
        assert!(refusal.contains(told), "{line}: {refusal}");
    }
    assert!(refusal("[[identity_providers]]\nname = \"corp\"\n", &[]).contains("kind"));
    assert!(refusal("identity_providers = 3\n", &[]).contains("must be a list of tables"));
}
