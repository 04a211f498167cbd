//! What every adapter promises, asked of it without a server around it.

use std::sync::Arc;
use std::time::Duration;

use kagiya::domain::clock::{Clock, SystemClock};
use kagiya::domain::id::{CredentialId, DeploymentId, KeyId, OrganizationId};
use kagiya::domain::permission::Permissions;
use kagiya::domain::plaintext_key::UserName;
use kagiya::domain::random::SystemRandom;
use kagiya::domain::resource::ResourceIdentifier;
use kagiya::domain::secret::SecretText;
use kagiya::idp::builtin::Builtin;
use kagiya::idp::{
    Carried, Error, IdentityProvider, NewUser, ResourceState, SignIn, SignedIn, UserAttributes,
    Vouch, Wanted,
};
use rstest::rstest;
use serde_json::json;

use crate::support::corp::Realm;
use crate::support::database::Database;
use crate::support::fake_provider::FakeProvider;
use crate::support::keycloak::Keycloak;
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{CART, ISSUER, PAYMENT};

/// An adapter, and what it needs around it.
struct Adapter {
    provider: Arc<dyn IdentityProvider>,
    vouch: Voucher,
    deployment: DeploymentId,
    carried: Vec<ResourceState>,
    _database: Option<Database>,
    _realm: Option<Realm>,
}

/// Vouches by the keys of an issuer that the provider knows.
struct Voucher(Option<OpenIdIssuer>);

impl Vouch for Voucher {
    fn assertion(&self, audience: &str, subject: &str, lifetime: Duration) -> Option<SecretText> {
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": ISSUER, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime.as_secs() as i64,
            "jti": drawn::<CredentialId>(CredentialId::generate).to_string(),
        });
        let header = json!({"typ": "kagiya-assertion+jwt"});
        Some(SecretText::new(self.0.as_ref()?.sign(&header, &claims)))
    }
}

fn drawn<T>(draw: impl FnOnce(&dyn kagiya::domain::random::Random) -> T) -> T {
    draw(&SystemRandom)
}

fn permissions(pairs: &[(&str, &str)]) -> Permissions {
    let pair =
        |(resource, scope): &(&str, &str)| (resource.parse().unwrap(), scope.parse().unwrap());
    pairs.iter().map(pair).collect()
}

/// Two resources that have a permission of the same name.
fn resources() -> Vec<ResourceState> {
    let resource = |identifier: &str, scopes: &[&str]| ResourceState {
        identifier: identifier.parse().unwrap(),
        name: None,
        token_lifetime: 300,
        permissions: scopes
            .iter()
            .map(|scope| (scope.parse().unwrap(), None))
            .collect(),
    };
    vec![
        resource(PAYMENT, &["read", "write:payment"]),
        resource(CART, &["read", "read:cart"]),
    ]
}

impl Adapter {
    async fn kind(kind: &str) -> Self {
        let deployment = drawn(DeploymentId::generate);
        let mut adapter = match kind {
            "builtin" => {
                let (database, clock) = (Database::new(), Arc::new(SystemClock));
                let name = "builtin".parse().unwrap();
                let provider = Builtin::new(name, database.store.clone(), clock);
                Self {
                    provider: Arc::new(provider),
                    vouch: Voucher(None),
                    deployment,
                    carried: Vec::new(),
                    _database: Some(database),
                    _realm: None,
                }
            }
            "fake" => Self {
                provider: FakeProvider::carrying("fake"),
                vouch: Voucher(None),
                deployment,
                carried: Vec::new(),
                _database: None,
                _realm: None,
            },
            "keycloak" | "keycloak_password" => {
                let issuer = OpenIdIssuer::start();
                let way = match kind {
                    "keycloak" => "jwt_bearer",
                    _ => "password",
                };
                let keys = issuer.url();
                let settings = format!("sign_in = '{way}'\njwks_uri = '{keys}/keys'");
                let realm = Realm::prepared(Keycloak::shared(), &settings).await;
                Self {
                    provider: realm.provider(),
                    vouch: Voucher(Some(issuer)),
                    deployment,
                    carried: Vec::new(),
                    _database: None,
                    _realm: Some(realm),
                }
            }
            other => panic!("{other}"),
        };
        if adapter.provider.carries_resources() {
            for resource in resources() {
                let carried = Carried::default();
                let made = adapter.provider.put_resource(&resource, &carried).await;
                assert!(made.unwrap(), "it was not there before");
                adapter.carried.push(resource);
            }
        }
        adapter
    }

    fn user(&self, pairs: &[(&str, &str)]) -> NewUser {
        NewUser {
            user_name: drawn(user_name),
            password: SecretText::new("a password of forty-three letters and digits".to_owned()),
            attributes: UserAttributes {
                deployment_id: self.deployment,
                key_id: drawn(KeyId::generate),
                generation: drawn(CredentialId::generate),
                organization_id: OrganizationId::generate(&SystemRandom),
                owner: None,
                metadata: Default::default(),
            },
            permissions: permissions(pairs),
        }
    }

    async fn signs_in(&self, user: &NewUser, wanted: Wanted<'_>) -> Result<SignedIn, Error> {
        let sign_in = SignIn {
            user_name: &user.user_name,
            generation: user.attributes.generation,
            password: &user.password,
            credential: None,
            vouch: &self.vouch,
            address: None,
            wanted,
        };
        self.provider.authenticate(sign_in).await
    }

    async fn rights(&self, user: &NewUser) -> Result<Permissions, Error> {
        let signed_in = self
            .signs_in(user, Wanted::Rights(&user.permissions))
            .await?;
        Ok(signed_in.granted.expect("it says what it grants"))
    }
}

fn user_name(random: &dyn kagiya::domain::random::Random) -> UserName {
    let mut letters = [0; 26];
    random.text(b"abcdefghijklmnopqrstuvwxyz234567", &mut letters);
    UserName::parse(std::str::from_utf8(&letters).unwrap()).unwrap()
}

macro_rules! every_adapter {
    ($(async fn $name:ident($adapter:ident: Adapter) $body:block)+) => {
        $(
            #[rstest]
            #[case::builtin("builtin")]
            #[case::fake("fake")]
            #[ignore = "needs Java and Maven: run by the CI"]
            #[case::keycloak("keycloak")]
            #[ignore = "needs Java and Maven: run by the CI"]
            #[case::keycloak_password("keycloak_password")]
            #[tokio::test]
            async fn $name(#[case] kind: &str) {
                let $adapter = Adapter::kind(kind).await;
                $body
            }
        )+
    };
}

every_adapter! {
    async fn a_user_may_do_what_was_said_last(adapter: Adapter) {
        let user = adapter.user(&[(PAYMENT, "write:payment"), (CART, "read")]);
        let made = adapter.provider.create(&user).await.unwrap();
        assert_eq!(adapter.rights(&user).await.unwrap(), user.permissions);
        for pairs in [
            [(PAYMENT, "read"), (CART, "read:cart")].as_slice(),
            &[(PAYMENT, "read")],
            &[],
            &[(CART, "read"), (CART, "read:cart")],
        ] {
            let wanted = permissions(pairs);
            let set = adapter.provider.set_permissions(&user.user_name, &wanted);
            set.await.unwrap();
            assert_eq!(adapter.rights(&user).await.unwrap(), wanted, "{pairs:?}");
        }
        let found = adapter.provider.look_up(&user.user_name).await.unwrap().unwrap();
        assert_eq!(found.subject, made.subject);
        let told = adapter.provider.permissions_of(&found).await.unwrap();
        assert_eq!(told, Some(permissions(&[(CART, "read"), (CART, "read:cart")])));
    }

    async fn making_a_user_twice_leaves_one_as_asked(adapter: Adapter) {
        let mut user = adapter.user(&[(PAYMENT, "write:payment")]);
        adapter.provider.create(&user).await.unwrap();
        user.permissions = permissions(&[(CART, "read")]);
        adapter.provider.create(&user).await.unwrap();
        assert_eq!(adapter.rights(&user).await.unwrap(), user.permissions);
        let users = adapter.provider.users(&adapter.deployment).await.unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!(users[0].user_name, Some(user.user_name));
    }

    async fn what_is_not_there_is_said_not_to_be(adapter: Adapter) {
        let user = adapter.user(&[(PAYMENT, "write:payment")]);
        let (provider, name) = (&adapter.provider, &user.user_name);
        let gone = [
            provider.set_permissions(name, &user.permissions).await,
            provider.set_attributes(name, &user.attributes).await,
            provider.repair(&user).await,
        ];
        for answer in gone {
            assert!(matches!(answer, Err(Error::NoSuchUser)), "{answer:?}");
        }
        assert_eq!(provider.look_up(name).await.unwrap(), None);
        // Where a wrong password and a missing user are answered alike, the look-up tells.
        let refused = adapter.rights(&user).await;
        assert!(matches!(refused, Err(Error::NoSuchUser | Error::Refused { .. })), "{refused:?}");
        provider.delete(name, &adapter.deployment).await.unwrap();
    }

    async fn a_user_that_was_removed_is_gone(adapter: Adapter) {
        let user = adapter.user(&[(PAYMENT, "write:payment")]);
        adapter.provider.create(&user).await.unwrap();
        for _ in 0..2 {
            adapter.provider.delete(&user.user_name, &adapter.deployment).await.unwrap();
            assert_eq!(adapter.provider.look_up(&user.user_name).await.unwrap(), None);
        }
        assert!(adapter.rights(&user).await.is_err());
        assert_eq!(adapter.provider.users(&adapter.deployment).await.unwrap(), []);
    }

    async fn what_a_user_signs_in_by_is_put_right(adapter: Adapter) {
        let user = adapter.user(&[(PAYMENT, "write:payment")]);
        adapter.provider.create(&user).await.unwrap();
        adapter.provider.repair(&user).await.unwrap();
        let rights = adapter.rights(&user).await.unwrap();
        assert_eq!(rights, user.permissions);
    }

    async fn a_user_stands_for_whom_it_was_said_last(adapter: Adapter) {
        let mut user = adapter.user(&[(PAYMENT, "write:payment")]);
        adapter.provider.create(&user).await.unwrap();
        user.attributes.owner = Some(serde_json::from_value(json!({
            "iss": "https://sso.example.com", "sub": "ann",
        })).unwrap());
        let described = adapter.provider.set_attributes(&user.user_name, &user.attributes);
        described.await.unwrap();
        // Nothing else of it has changed.
        assert_eq!(adapter.rights(&user).await.unwrap(), user.permissions);
        let users = adapter.provider.users(&adapter.deployment).await.unwrap();
        assert_eq!(users.len(), 1);
    }

    async fn a_resource_is_told_once_and_follows(adapter: Adapter) {
        let provider = &adapter.provider;
        if adapter.carried.is_empty() {
            return;
        }
        let mut payment = adapter.carried[0].clone();
        let carried = Carried {
            made: true,
            permissions: payment.permissions.iter().map(|(name, _)| name.clone()).collect(),
        };
        assert!(!provider.put_resource(&payment, &carried).await.unwrap(), "it was there");
        payment.permissions = vec![
            ("write:payment".parse().unwrap(), Some("Change payments".to_owned())),
            ("refund:payment".parse().unwrap(), None),
        ];
        assert!(!provider.put_resource(&payment, &carried).await.unwrap());
        let user = adapter.user(&[(PAYMENT, "write:payment"), (PAYMENT, "refund:payment"), (CART, "read")]);
        provider.create(&user).await.unwrap();
        assert_eq!(adapter.rights(&user).await.unwrap(), user.permissions);
        let identifier: ResourceIdentifier = PAYMENT.parse().unwrap();
        provider.remove_resource(&identifier, &carried).await.unwrap();
        provider.remove_resource(&identifier, &carried).await.unwrap();
        let wanted = permissions(&[(CART, "read")]);
        provider.set_permissions(&user.user_name, &wanted).await.unwrap();
        assert_eq!(adapter.rights(&user).await.unwrap(), wanted);
    }

    async fn it_is_well(adapter: Adapter) {
        adapter.provider.health().await.unwrap();
    }
}

#[rstest]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak("keycloak")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_password("keycloak_password")]
#[tokio::test]
async fn a_token_names_one_resource_alone_and_no_more_than_was_asked(#[case] kind: &str) {
    let adapter = Adapter::kind(kind).await;
    let user = adapter.user(&[
        (PAYMENT, "read"),
        (PAYMENT, "write:payment"),
        (CART, "read"),
    ]);
    adapter.provider.create(&user).await.unwrap();
    for (resource, scopes, granted) in [
        (PAYMENT, "read", "read"),
        (PAYMENT, "write:payment", "write:payment"),
        (PAYMENT, "read write:payment", "read write:payment"),
        (CART, "read", "read"),
        (CART, "read:cart", ""),
    ] {
        let (identifier, scopes) = (resource.parse().unwrap(), scopes.parse().unwrap());
        let wanted = Wanted::Token {
            resource: &identifier,
            scopes: &scopes,
        };
        let signed_in = adapter.signs_in(&user, wanted).await.unwrap();
        let token = signed_in.token.expect("a token");
        assert_eq!(token.scopes.to_string(), granted, "{resource} {scopes}");
        assert!(!token.says_more, "{resource} {scopes}");
        let claims = crate::support::test_app::claims(token.text.expose());
        assert_eq!(claims["aud"], resource);
        assert_eq!(claims["org_id"], user.attributes.organization_id.as_str());
        assert_eq!(claims["key_id"], user.attributes.key_id.as_str());
    }
}

#[rstest]
#[case::fake("fake")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak("keycloak")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_password("keycloak_password")]
#[tokio::test]
async fn a_user_of_another_deployment_is_left_alone(#[case] kind: &str) {
    let adapter = Adapter::kind(kind).await;
    let user = adapter.user(&[(PAYMENT, "write:payment")]);
    adapter.provider.create(&user).await.unwrap();
    let another = drawn(DeploymentId::generate);
    let deleted = adapter.provider.delete(&user.user_name, &another).await;
    assert!(matches!(deleted, Err(Error::Refused { .. })), "{deleted:?}");
    assert_eq!(adapter.provider.users(&another).await.unwrap(), []);
    if kind != "fake" {
        let mut theirs = adapter.user(&[]);
        theirs.user_name = user.user_name;
        theirs.attributes.deployment_id = another;
        let made = adapter.provider.create(&theirs).await;
        assert!(matches!(made.map(drop), Err(Error::Refused { .. })));
        let repaired = adapter.provider.repair(&theirs).await;
        assert!(
            matches!(repaired, Err(Error::Refused { .. })),
            "{repaired:?}"
        );
    }
    assert_eq!(adapter.rights(&user).await.unwrap(), user.permissions);
}
