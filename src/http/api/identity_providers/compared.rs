//! What a comparison with a provider, or an import from one, is asked for and brings.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::broker::{Imported, Report};
use crate::http::key_object::{ResourceScopes, in_words};

/// How far to go.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"dry_run": true}))]
pub struct Reconcile {
    /// Nothing is changed.
    pub(super) dry_run: bool,
    /// Users that nobody needs are removed, if they are at most 20 and at most 5 % of all.
    pub(super) delete_orphans: bool,
}

/// What was found at a provider.
#[derive(Serialize, ToSchema)]
pub struct ReconcileReport {
    /// Users of this deployment there.
    users: usize,
    /// Users that nobody needs, and that nothing on record will remove.
    orphans: Vec<OrphanBody>,
    /// Those whose removal was put on record now.
    removing: usize,
    /// Keys whose user is not there.
    missing: Vec<MissingUser>,
    /// Users whose rights were compared.
    compared: usize,
    /// Where they differ from the record.
    differences: Vec<DifferenceBody>,
}

/// A user that nobody needs.
#[derive(Serialize, ToSchema)]
pub(super) struct OrphanBody {
    /// Its subject there.
    subject: String,
    /// Its name there, if it is one of ours.
    #[schema(required)]
    username: Option<String>,
}

/// A key whose user is not there.
#[derive(Serialize, ToSchema)]
pub(super) struct MissingUser {
    /// The key.
    key_id: String,
    /// The generation.
    generation: String,
}

/// Where a provider grants something else than the record.
#[derive(Serialize, ToSchema)]
pub(super) struct DifferenceBody {
    /// The key.
    key_id: String,
    /// The generation.
    generation: String,
    /// What it grants beyond: it is never granted here.
    more: Vec<ResourceScopes>,
    /// What it lacks.
    less: Vec<ResourceScopes>,
}

impl From<Report> for ReconcileReport {
    fn from(report: Report) -> Self {
        let orphans = report.orphans.into_iter().map(|orphan| OrphanBody {
            subject: orphan.subject,
            username: orphan.user_name.map(|name| format!("k_{name}")),
        });
        let missing = report.missing.iter().map(|(key, generation)| MissingUser {
            key_id: key.to_string(),
            generation: generation.to_string(),
        });
        let differences = report.differences.iter().map(|difference| DifferenceBody {
            key_id: difference.key_id.to_string(),
            generation: difference.generation.to_string(),
            more: in_words(&difference.more),
            less: in_words(&difference.less),
        });
        Self {
            users: report.users,
            removing: report.removing,
            compared: report.compared,
            orphans: orphans.collect(),
            missing: missing.collect(),
            differences: differences.collect(),
        }
    }
}

/// What to import.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"dry_run": true}))]
pub struct Import {
    /// Nothing is changed.
    pub(super) dry_run: bool,
}

/// A resource of a provider.
#[derive(Serialize, ToSchema)]
pub struct ImportedResource {
    /// Its identifier.
    identifier: String,
    /// Whether it was not here.
    made: bool,
    /// Permissions that were not here.
    added: Vec<String>,
    /// Why it cannot be here.
    #[schema(required)]
    refused: Option<String>,
}

impl From<Imported> for ImportedResource {
    fn from(imported: Imported) -> Self {
        Self {
            identifier: imported.identifier,
            made: imported.made,
            added: imported.added,
            refused: imported.refused,
        }
    }
}
