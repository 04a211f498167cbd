//! An identity provider in memory, under a name of its own, that misbehaves as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kagiya::domain::permission::Permissions;
use kagiya::domain::plaintext_key::UserName;
use kagiya::domain::provider_name::ProviderName;
use kagiya::domain::secret::SecretText;
use kagiya::idp::{Answer, Error, IdentityProvider, NewUser, Rights, RightsAge};

/// What it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Create,
    SetPermissions,
    Authenticate,
    Disable,
    Delete,
    Health,
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
    /// Refuses what we hold to be right.
    Refuses,
}

/// The provider.
pub(crate) struct FakeProvider {
    name: ProviderName,
    rights_age: RightsAge,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    users: HashMap<UserName, User>,
    moods: HashMap<Ask, Mood>,
    asked: Vec<Ask>,
    limit: Option<Permissions>,
}

struct User {
    password: String,
    permissions: Permissions,
    disabled: bool,
}

impl FakeProvider {
    /// One whose word on rights is good until we change them.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Self::with_rights_age(name, RightsAge::UntilChanged)
    }

    /// One whose word on rights is good for so long.
    pub(crate) fn with_rights_age(name: &str, rights_age: RightsAge) -> Arc<Self> {
        Arc::new(Self {
            name: name.parse().unwrap(),
            rights_age,
            state: Arc::default(),
        })
    }

    /// Its name.
    pub(crate) fn label(&self) -> &str {
        self.name.as_str()
    }

    /// From now on, asked for this, it behaves so.
    pub(crate) fn when(&self, ask: Ask, mood: Mood) {
        self.state().moods.insert(ask, mood);
    }

    /// From now on, whatever it is asked for.
    pub(crate) fn always(&self, mood: Mood) {
        for ask in [
            Ask::Create,
            Ask::SetPermissions,
            Ask::Authenticate,
            Ask::Disable,
            Ask::Delete,
            Ask::Health,
        ] {
            self.when(ask, mood);
        }
    }

    /// From now on it does as it is asked.
    pub(crate) fn works_again(&self) {
        self.state().moods.clear();
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
    fn answer<'a, T, F>(&'a self, ask: Ask, work: F) -> Answer<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut State) -> Result<T, Error> + Send + 'static,
    {
        let state = Arc::clone(&self.state);
        Box::pin(async move {
            let mood = {
                let mut state = lock(&state);
                state.asked.push(ask);
                state.moods.get(&ask).copied()
            };
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

    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, String> {
        let name = user.user_name;
        let new = User {
            password: user.password.expose().to_owned(),
            permissions: user.permissions.clone(),
            disabled: false,
        };
        self.answer(Ask::Create, move |state| {
            state.users.insert(name, new);
            Ok(format!("fake|{name}"))
        })
    }

    fn set_permissions<'a>(
        &'a self,
        name: &'a UserName,
        permissions: &'a Permissions,
    ) -> Answer<'a, ()> {
        let (name, permissions) = (*name, permissions.clone());
        self.answer(Ask::SetPermissions, move |state| {
            let user = state.users.get_mut(&name).ok_or(Error::NoSuchUser)?;
            user.permissions = permissions;
            Ok(())
        })
    }

    fn authenticate<'a>(
        &'a self,
        name: &'a UserName,
        password: &'a SecretText,
    ) -> Answer<'a, Rights> {
        let (name, password) = (*name, password.expose().to_owned());
        self.answer(Ask::Authenticate, move |state| {
            let user = state.users.get(&name).ok_or(Error::NoSuchUser)?;
            if user.password != password {
                return Err(Error::Refused {
                    reason: "wrong password".to_owned(),
                });
            }
            if user.disabled {
                return Err(Error::Disabled);
            }
            Ok(Rights::Granted(match &state.limit {
                None => user.permissions.clone(),
                Some(limit) => user.permissions.intersection(limit),
            }))
        })
    }

    fn disable<'a>(&'a self, name: &'a UserName) -> Answer<'a, ()> {
        let name = *name;
        self.answer(Ask::Disable, move |state| {
            if let Some(user) = state.users.get_mut(&name) {
                user.disabled = true;
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a UserName) -> Answer<'a, ()> {
        let name = *name;
        self.answer(Ask::Delete, move |state| {
            state.users.remove(&name);
            Ok(())
        })
    }

    fn health(&self) -> Answer<'_, ()> {
        self.answer(Ask::Health, |_| Ok(()))
    }
}

fn down() -> Error {
    Error::unavailable(std::io::Error::other("the fake provider is down"))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
