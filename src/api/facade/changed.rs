//! Whether the files of a run say something else by now than when it began. It goes on as it was recorded; a person may think
//! otherwise.

use std::path::Path;
use std::sync::Arc;

use super::Facade;
use crate::aggregates::run::{About, RunStatus};
use crate::api::spec::RunSpec;
use crate::api::start::Resolver;
use crate::events::ids::Hash;
use crate::kernel::Blobs;
use crate::text_file::{self, Kind};
use crate::workflow::definition::{Definition, Source};

/// A definition as it is recorded, and the folder that its relative paths mean.
type Recorded = (Arc<Definition>, Arc<str>);

impl Facade {
    /// The files of a run, its own and those that its steps start, that say something else by now. Empty for a run of which
    /// nothing will be done any more, and where that cannot be told: a file that is gone says nothing.
    pub(super) async fn changed_files(&self, about: &About, status: RunStatus) -> Vec<String> {
        if matches!(status, RunStatus::Completed | RunStatus::Compensated | RunStatus::Cancelled) {
            return Vec::new();
        }
        let library: &dyn Blobs = &**self.system.library();
        let began = &about.started;
        let own = std::iter::once((&began.definition, &began.work_folder));
        let children = began.children.iter().map(|child| (&child.definition, &child.work_folder));
        let recorded = own.chain(children).filter_map(|(definition, folder)| {
            Some((library.value::<Definition>(&definition.hash).ok()?, Arc::clone(folder)))
        });
        let (recorded, resolver): (Vec<Recorded>, _) = (recorded.collect(), Arc::clone(&self.resolver));
        // It reads files, so it blocks.
        let changed = tokio::task::spawn_blocking(move || {
            let changed =
                recorded.iter().filter(|recorded| has_changed(&resolver, recorded).unwrap_or(false));
            let files = changed.filter_map(|(definition, _)| Some(definition.source.as_ref()?.file.clone()));
            files.collect()
        });
        changed.await.unwrap_or_default()
    }
}

/// Whether the file of a definition says something else. None where that cannot be told.
fn has_changed(resolver: &Resolver, (recorded, folder): &Recorded) -> Option<bool> {
    let Source { file, text: was, .. } = recorded.source.as_ref()?;
    let text = text_file::read_if_there(Path::new(file), Kind::Workflow).ok()??;
    if Hash::of(text.as_bytes()) == (*was)? {
        return Some(false);
    }
    // Comments and the order of keys say nothing. What cannot be read any more says something else.
    let spec = RunSpec::file(file).work_folder(&**folder);
    let says_the_same = |now: &Definition| now.says_the_same_as(recorded);
    Some(!resolver.read(&spec).is_ok_and(|family| says_the_same(&family.root.definition)))
}
