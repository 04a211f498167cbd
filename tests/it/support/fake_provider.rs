//! An identity provider in memory, under a name of its own, that misbehaves as it is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kagiya::domain::clock::{Clock, MockClock};
use kagiya::domain::id::DeploymentId;
use kagiya::domain::permission::Permissions;
use kagiya::domain::plaintext_key::UserName;
use kagiya::domain::provider_name::ProviderName;
use kagiya::domain::resource::ResourceIdentifier;
use kagiya::domain::secret::SecretText;
use kagiya::domain::subject::Subject;
use kagiya::idp::{
    Answer, Carried, Error, FoundResource, FoundUser, IdentityProvider, Made, NewUser, OwnerState,
    Policy, ProviderToken, ResourceState, RightsAge, Settling, SignIn, SignedIn, UserAttributes,
    Wanted,
};

/// What it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Create,
    SetPermissions,
    SetAttributes,
    Authenticate,
    LookUp,
    Repair,
    Delete,
    Users,
    PutResource,
    RemoveResource,
    Owner,
    Health,
}

/// The tokens that it gives for a resource.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) clock: MockClock,
    /// Seconds.
    pub(crate) lifetime: i64,
    /// Whether they say more than was asked.
    pub(crate) say_more: bool,
}

/// How it behaves when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Never answers, never does it.
    Hangs,
    /// Says that it is down, and does not do it.
    FailsBefore,
    /// Does it, and says that it is down.
    FailsAfter,
    /// Does it at once, and never answers.
    AnswersNever,
    /// Does it only so much later, whether or not anybody still waits.
    Late(Duration),
    /// Does it at once, and so much later a second time.
    Twice(Duration),
    /// Refuses what we hold to be right.
    Refuses,
}

/// The provider.
pub(crate) struct FakeProvider {
    name: ProviderName,
    rights_age: RightsAge,
    policy: Mutex<Policy>,
    carries: bool,
    /// Whose people it can tell of.
    issuer: Option<String>,
    /// How often this line was used.
    used: AtomicUsize,
    /// How this line to it behaves; several nodes have a line each.
    moods: Arc<Mutex<HashMap<Ask, Mood>>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    users: HashMap<UserName, User>,
    asked: Vec<Ask>,
    limit: Option<Permissions>,
    /// Calls that wait for an answer, by user.
    at: HashMap<UserName, usize>,
    /// Whether there were two for one user at once.
    overlapped: bool,
    /// What was done to permissions, in order.
    permitted: Vec<Permissions>,
    tokens: Option<Tokens>,
    /// How many tokens it gave.
    given: usize,
    /// What it was told of resources.
    resources: BTreeMap<String, Vec<String>>,
    /// What exists there beside that.
    existing: Vec<FoundResource>,
    /// The people of whom it can tell, by their subjects.
    people: HashMap<String, OwnerState>,
}

struct User {
    password: String,
    permissions: Permissions,
    attributes: UserAttributes,
    disabled: bool,
}

/// A call that waits for its answer.
struct Waiting(Arc<Mutex<State>>, UserName);

impl Waiting {
    fn new(state: &Arc<Mutex<State>>, user: UserName) -> Self {
        let mut locked = lock(state);
        let calls = locked.at.entry(user).or_default();
        *calls += 1;
        locked.overlapped |= *calls > 1;
        Self(Arc::clone(state), user)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *lock(&self.0).at.entry(self.1).or_default() -= 1;
    }
}

impl FakeProvider {
    /// One whose word on rights is good until we change them.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Self::with_rights_age(name, RightsAge::UntilChanged)
    }

    /// One whose word on rights is good for so long.
    pub(crate) fn with_rights_age(name: &str, rights_age: RightsAge) -> Arc<Self> {
        Arc::new(Self::made(name, rights_age))
    }

    /// One that is asked at every trade and has to be told of resources.
    pub(crate) fn carrying(name: &str) -> Arc<Self> {
        let asked = RightsAge::AtMost(Duration::ZERO);
        Arc::new(Self {
            carries: true,
            ..Self::made(name, asked)
        })
    }

    /// One that can tell of the people of an issuer.
    pub(crate) fn knowing(name: &str, issuer: &str) -> Arc<Self> {
        Arc::new(Self {
            issuer: Some(issuer.to_owned()),
            ..Self::made(name, RightsAge::UntilChanged)
        })
    }

    fn made(name: &str, rights_age: RightsAge) -> Self {
        Self {
            name: name.parse().unwrap(),
            rights_age,
            policy: Mutex::default(),
            carries: false,
            issuer: None,
            used: AtomicUsize::new(0),
            moods: Arc::default(),
            state: Arc::default(),
        }
    }

    /// The same provider over another line, with moods of its own.
    pub(crate) fn another_line(&self) -> Arc<Self> {
        Arc::new(Self {
            name: self.name.clone(),
            rights_age: self.rights_age,
            policy: Mutex::new(*lock(&self.policy)),
            carries: self.carries,
            issuer: self.issuer.clone(),
            used: AtomicUsize::new(0),
            moods: Arc::default(),
            state: Arc::clone(&self.state),
        })
    }

    /// Its name.
    pub(crate) fn label(&self) -> &str {
        self.name.as_str()
    }

    /// From now on its word is used like this.
    pub(crate) fn use_by(&self, policy: Policy) {
        *lock(&self.policy) = policy;
    }

    /// Disables its users behind our back, or no more.
    pub(crate) fn disable_users(&self, disabled: bool) {
        for user in self.state().users.values_mut() {
            user.disabled = disabled;
        }
    }

    /// Gives its users other passwords behind our back.
    pub(crate) fn change_passwords(&self) {
        for user in self.state().users.values_mut() {
            user.password = "another".to_owned();
        }
    }

    /// Lets its users do this beyond what we said.
    pub(crate) fn grant_more(&self, more: &Permissions) {
        for user in self.state().users.values_mut() {
            let pairs = user.permissions.iter().chain(more.iter());
            let pairs = pairs.flat_map(|(resource, scopes)| {
                let scopes = scopes.iter().cloned();
                scopes.map(move |scope| (resource.clone(), scope))
            });
            user.permissions = pairs.collect();
        }
    }

    /// Lets its users do no more than this.
    pub(crate) fn take_away(&self, left: &Permissions) {
        for user in self.state().users.values_mut() {
            user.permissions = user.permissions.intersection(left);
        }
    }

    /// From now on it gives tokens.
    pub(crate) fn gives(&self, tokens: Tokens) {
        self.state().tokens = Some(tokens);
    }

    /// How many tokens it gave.
    pub(crate) fn given(&self) -> usize {
        self.state().given
    }

    /// What it was told of resources: each with its permissions.
    pub(crate) fn resources(&self) -> Vec<String> {
        let state = self.state();
        let told = state.resources.iter();
        told.map(|(resource, permissions)| format!("{resource} {}", permissions.join(" ")))
            .collect()
    }

    /// A resource exists there of which we know nothing.
    pub(crate) fn has_resource(&self, identifier: &str, permissions: &[&str]) {
        let permission = |name: &&str| ((*name).to_owned(), None);
        self.state().existing.push(FoundResource {
            identifier: identifier.to_owned(),
            name: None,
            permissions: permissions.iter().map(permission).collect(),
        });
    }

    /// What it tells of one of its people from now on.
    pub(crate) fn tells_of(&self, sub: &str, state: OwnerState) {
        self.state().people.insert(sub.to_owned(), state);
    }

    /// From now on, asked for this, it behaves so.
    pub(crate) fn when(&self, ask: Ask, mood: Mood) {
        lock(&self.moods).insert(ask, mood);
    }

    /// From now on, whatever it is asked for.
    pub(crate) fn always(&self, mood: Mood) {
        for ask in [
            Ask::Create,
            Ask::SetPermissions,
            Ask::SetAttributes,
            Ask::Authenticate,
            Ask::LookUp,
            Ask::Repair,
            Ask::Delete,
            Ask::Users,
            Ask::PutResource,
            Ask::RemoveResource,
            Ask::Owner,
            Ask::Health,
        ] {
            self.when(ask, mood);
        }
    }

    /// From now on it does as it is asked.
    pub(crate) fn works_again(&self) {
        lock(&self.moods).clear();
    }

    /// From now on no user may do more than this, whatever was granted.
    pub(crate) fn limit_rights(&self, limit: Permissions) {
        self.state().limit = Some(limit);
    }

    /// Takes no more from what its users were given.
    pub(crate) fn limit_nothing(&self) {
        self.state().limit = None;
    }

    /// Somebody disables every user there is.
    pub(crate) fn disable_all(&self) {
        for user in self.state().users.values_mut() {
            user.disabled = true;
        }
    }

    /// Takes a user away behind our back.
    pub(crate) fn lose_users(&self) {
        self.state().users.clear();
    }

    /// The names of its users.
    pub(crate) fn users(&self) -> Vec<UserName> {
        self.state().users.keys().copied().collect()
    }

    /// The passwords of its users.
    pub(crate) fn passwords(&self) -> Vec<String> {
        let state = self.state();
        state
            .users
            .values()
            .map(|user| user.password.clone())
            .collect()
    }

    /// What its users may do, one text each.
    pub(crate) fn granted(&self) -> Vec<String> {
        let text = |user: &User| {
            let pairs = user
                .permissions
                .iter()
                .map(|(resource, scopes)| format!("{resource} {scopes}"));
            pairs.collect::<Vec<_>>().join(", ")
        };
        self.state().users.values().map(text).collect()
    }

    /// How often this line was used.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    /// Whom its users stand for.
    pub(crate) fn attributes(&self) -> Vec<UserAttributes> {
        let state = self.state();
        state
            .users
            .values()
            .map(|user| user.attributes.clone())
            .collect()
    }

    /// Lets all its users be of this deployment.
    pub(crate) fn hand_over(&self, deployment: DeploymentId) {
        for user in self.state().users.values_mut() {
            user.attributes.deployment_id = deployment;
        }
    }

    /// Whether it was ever asked something for a user while it was still at something else for him.
    pub(crate) fn overlapped(&self) -> bool {
        self.state().overlapped
    }

    /// What it was told that users may do, in the order in which it did it.
    pub(crate) fn permitted(&self) -> Vec<String> {
        let told = |permissions: &Permissions| {
            let scopes = permissions.iter().map(|(_, scopes)| scopes.to_string());
            scopes.collect::<Vec<_>>().join(", ")
        };
        self.state().permitted.iter().map(told).collect()
    }

    /// How often it was asked for this.
    pub(crate) fn times(&self, ask: Ask) -> usize {
        self.state()
            .asked
            .iter()
            .filter(|asked| **asked == ask)
            .count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Does it as its mood is.
    fn answer<'a, T, F>(&'a self, ask: Ask, user: Option<UserName>, work: F) -> Answer<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut State) -> Result<T, Error> + Clone + Send + 'static,
    {
        let state = Arc::clone(&self.state);
        Box::pin(async move {
            let mood = lock(&self.moods).get(&ask).copied();
            lock(&state).asked.push(ask);
            self.used.fetch_add(1, Ordering::SeqCst);
            let _waiting = user.map(|user| Waiting::new(&state, user));
            match mood {
                None => work(&mut lock(&state)),
                Some(Mood::Hangs) => std::future::pending().await,
                Some(Mood::FailsBefore) => Err(down()),
                Some(Mood::FailsAfter) => {
                    drop(work(&mut lock(&state)));
                    Err(down())
                }
                Some(Mood::AnswersNever) => {
                    drop(work(&mut lock(&state)));
                    std::future::pending().await
                }
                Some(Mood::Late(delay)) => {
                    // A thread of its own: what a provider does late, it does although we went away.
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    std::thread::spawn(move || {
                        let (_never, late) = std::sync::mpsc::channel::<()>();
                        let _ = late.recv_timeout(delay);
                        let _ = answer.send(work(&mut lock(&state)));
                    });
                    answered.await.unwrap_or_else(|_| Err(down()))
                }
                Some(Mood::Twice(delay)) => {
                    let (again, later) = (work.clone(), Arc::clone(&state));
                    std::thread::spawn(move || {
                        let (_never, late) = std::sync::mpsc::channel::<()>();
                        let _ = late.recv_timeout(delay);
                        drop(again(&mut lock(&later)));
                    });
                    work(&mut lock(&state))
                }
                Some(Mood::Refuses) => Err(Error::Refused {
                    reason: "it does not like us".to_owned(),
                }),
            }
        })
    }
}

impl IdentityProvider for FakeProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn rights_age(&self) -> RightsAge {
        self.rights_age
    }

    fn policy(&self) -> Policy {
        *lock(&self.policy)
    }

    fn settling(&self) -> Settling {
        Settling::ELSEWHERE
    }

    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, Made> {
        let name = user.user_name;
        let (password, permissions) = (user.password.expose().to_owned(), user.permissions.clone());
        let attributes = user.attributes.clone();
        self.answer(Ask::Create, Some(name), move |state| {
            let new = User {
                password,
                permissions,
                attributes,
                disabled: false,
            };
            state.users.insert(name, new);
            Ok(Made {
                subject: format!("fake|{name}"),
                credential: None,
            })
        })
    }

    fn set_permissions<'a>(
        &'a self,
        name: &'a UserName,
        permissions: &'a Permissions,
    ) -> Answer<'a, ()> {
        let (name, permissions) = (*name, permissions.clone());
        self.answer(Ask::SetPermissions, Some(name), move |state| {
            let user = state.users.get_mut(&name).ok_or(Error::NoSuchUser)?;
            user.permissions = permissions.clone();
            state.permitted.push(permissions);
            Ok(())
        })
    }

    fn set_attributes<'a>(
        &'a self,
        name: &'a UserName,
        attributes: &'a UserAttributes,
    ) -> Answer<'a, ()> {
        let (name, attributes) = (*name, attributes.clone());
        self.answer(Ask::SetAttributes, Some(name), move |state| {
            let user = state.users.get_mut(&name).ok_or(Error::NoSuchUser)?;
            user.attributes = attributes;
            Ok(())
        })
    }

    fn repair<'a>(&'a self, user: &'a NewUser) -> Answer<'a, ()> {
        let (name, password) = (user.user_name, user.password.expose().to_owned());
        self.answer(Ask::Repair, Some(name), move |state| {
            let user = state.users.get_mut(&name).ok_or(Error::NoSuchUser)?;
            user.password = password;
            Ok(())
        })
    }

    fn authenticate<'a>(&'a self, sign_in: SignIn<'a>) -> Answer<'a, SignedIn> {
        let (name, password) = (*sign_in.user_name, sign_in.password.expose().to_owned());
        let wanted = match sign_in.wanted {
            Wanted::Rights(_) => None,
            Wanted::Token { resource, scopes } => Some((resource.clone(), scopes.clone())),
        };
        self.answer(Ask::Authenticate, None, move |state| {
            let user = state.users.get(&name).ok_or(Error::NoSuchUser)?;
            if user.password != password {
                return Err(Error::Refused {
                    reason: "wrong password".to_owned(),
                });
            }
            if user.disabled {
                return Err(Error::Disabled);
            }
            let granted = match &state.limit {
                None => user.permissions.clone(),
                Some(limit) => user.permissions.intersection(limit),
            };
            let tokens = state.tokens.clone();
            let token = wanted.zip(tokens).map(|((resource, asked), tokens)| {
                state.given += 1;
                let held = granted.at(&resource).cloned().unwrap_or_default();
                let iat = tokens.clock.now().as_second();
                ProviderToken {
                    text: SecretText::new(format!(
                        "a token of the provider's, number {}",
                        state.given
                    )),
                    scopes: held.intersection(&asked),
                    says_more: tokens.say_more,
                    iat,
                    exp: iat + tokens.lifetime,
                }
            });
            Ok(SignedIn {
                granted: Some(granted),
                token,
            })
        })
    }

    fn look_up<'a>(&'a self, name: &'a UserName) -> Answer<'a, Option<FoundUser>> {
        let name = *name;
        self.answer(Ask::LookUp, None, move |state| {
            Ok(state.users.get(&name).map(|user| found(name, user)))
        })
    }

    fn users<'a>(&'a self, deployment: &'a DeploymentId) -> Answer<'a, Vec<FoundUser>> {
        let deployment = *deployment;
        self.answer(Ask::Users, None, move |state| {
            let ours = state
                .users
                .iter()
                .filter(|(_, user)| user.attributes.deployment_id == deployment);
            Ok(ours.map(|(name, user)| found(*name, user)).collect())
        })
    }

    fn delete<'a>(&'a self, name: &'a UserName, deployment: &'a DeploymentId) -> Answer<'a, ()> {
        let (name, deployment) = (*name, *deployment);
        self.answer(Ask::Delete, Some(name), move |state| {
            let found = state.users.get(&name);
            if found.is_some_and(|user| user.attributes.deployment_id != deployment) {
                return Err(Error::Refused {
                    reason: "the user is of another deployment".to_owned(),
                });
            }
            state.users.remove(&name);
            Ok(())
        })
    }

    fn permissions_of<'a>(&'a self, user: &'a FoundUser) -> Answer<'a, Option<Permissions>> {
        let name = user.user_name;
        self.answer(Ask::LookUp, None, move |state| {
            let user = name.and_then(|name| state.users.get(&name));
            Ok(user.map(|user| user.permissions.clone()))
        })
    }

    fn carries_resources(&self) -> bool {
        self.carries
    }

    fn put_resource<'a>(
        &'a self,
        resource: &'a ResourceState,
        carried: &'a Carried,
    ) -> Answer<'a, bool> {
        let (identifier, carried) = (resource.identifier.to_string(), carried.clone());
        let names: Vec<String> = resource
            .permissions
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        self.answer(Ask::PutResource, None, move |state| {
            let made = !state.resources.contains_key(&identifier);
            let held = state.resources.entry(identifier).or_default();
            // As a real one: what it was not told to take away stays.
            held.retain(|name| !carried.permissions.iter().any(|gone| gone.as_str() == name));
            held.extend(names);
            held.sort();
            held.dedup();
            Ok(made)
        })
    }

    fn remove_resource<'a>(
        &'a self,
        identifier: &'a ResourceIdentifier,
        _: &'a Carried,
    ) -> Answer<'a, ()> {
        let identifier = identifier.to_string();
        self.answer(Ask::RemoveResource, None, move |state| {
            state.resources.remove(&identifier);
            Ok(())
        })
    }

    fn resources(&self) -> Answer<'_, Vec<FoundResource>> {
        self.answer(Ask::LookUp, None, |state| Ok(state.existing.clone()))
    }

    fn issuer_of_owners(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    fn owner<'a>(
        &'a self,
        owner: &'a Subject,
        _: &'a [ResourceIdentifier],
    ) -> Answer<'a, OwnerState> {
        let sub = owner.sub.as_str().to_owned();
        self.answer(Ask::Owner, None, move |state| {
            let told = state.people.get(&sub).cloned();
            Ok(told.unwrap_or(OwnerState::Active(BTreeMap::new())))
        })
    }

    fn health(&self) -> Answer<'_, ()> {
        self.answer(Ask::Health, None, |_| Ok(()))
    }
}

fn found(name: UserName, user: &User) -> FoundUser {
    FoundUser {
        subject: format!("fake|{name}"),
        user_name: Some(name),
        deployment: Some(user.attributes.deployment_id.to_string()),
        disabled: user.disabled,
    }
}

fn down() -> Error {
    Error::unavailable(std::io::Error::other("the fake provider is down"))
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
