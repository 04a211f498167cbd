//! Where a provider grants something else than our record: what it lacks is put back, what it has beyond is shown as drift.

use quick_cache::sync::Cache;

use super::Broker;
use super::catalogue::Catalogue;
use super::record::Record;
use crate::domain::credential::ProviderRights;
use crate::domain::id::CredentialId;
use crate::domain::permission::Permissions;
use crate::store::presented::Presented;

/// How many generations are remembered of which it was noticed.
const REMEMBERED: usize = 10_000;
/// How many seconds nobody writes down again that a provider grants something else than our record.
const BETWEEN_NOTES: i64 = 10;

/// What was noticed last, and when, in seconds since 1970.
pub(super) struct Differences(Cache<CredentialId, (i64, Permissions)>);

impl Default for Differences {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Broker {
    /// Has put back what the provider lacks of our record, and writes down what it grants, where that is new.
    pub(super) async fn note_difference(
        &self,
        row: &Presented,
        rights: &ProviderRights,
        catalogue: &Catalogue,
    ) {
        let Some(granted) = &rights.granted else {
            return;
        };
        let policy = catalogue.policy(&row.recorded_permissions);
        let recorded = policy.permissions_elsewhere();
        let noted = row
            .provider_rights
            .as_ref()
            .and_then(|rights| rights.granted.as_ref());
        // What it lacks is noted as well: a node that is started while the provider is away must not go back to what was before.
        let differs = granted != noted.unwrap_or(&recorded);
        let lacks = !recorded.is_subset(granted);
        let policy = self
            .providers
            .find(&row.provider)
            .map(|provider| provider.policy());
        let puts_back = lacks && policy.is_some_and(|policy| policy.puts_back);
        let generation = row.credential_id;
        if (differs || puts_back) && self.is_news(generation, granted) {
            let rights = differs.then(|| rights.clone());
            self.settle_difference(generation, rights, puts_back).await;
        }
    }

    /// The provider lacks something of our record for a generation whose token it gave.
    pub(super) async fn note_lack(&self, record: &Record, granted: &Permissions) {
        let policy = self
            .providers
            .at(record.provider)
            .map(|provider| provider.policy());
        let generation = record.credential_id();
        if policy.is_some_and(|policy| policy.puts_back) && self.is_news(generation, granted) {
            self.settle_difference(generation, None, true).await;
        }
    }

    /// Whether nobody has noticed for a while that this is what is granted: of many who learn it at once one writes.
    fn is_news(&self, generation: CredentialId, granted: &Permissions) -> bool {
        let now = self.now().as_second();
        let seen = self.differences.0.get(&generation);
        let news = seen.is_none_or(|(at, seen)| now - at >= BETWEEN_NOTES || seen != *granted);
        if news {
            let noted = (now, granted.clone());
            self.differences.0.insert(generation, noted);
        }
        news
    }
}
