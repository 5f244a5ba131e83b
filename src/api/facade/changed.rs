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
use crate::views::presenters::report::RunReport;
use crate::views::presenters::ways::{Act, Invocation};
use crate::workflow::definition::{Definition, Source};
use crate::workflow::input::{arguments_of, check_input};

/// A definition as it is recorded, and the folder that its relative paths mean.
type Recorded = (Arc<Definition>, Arc<str>);

impl Facade {
    /// Tells which files of a run, its own and those that its steps start, say something else by now, and how that is run. Of a
    /// run of which nothing will be done any more nothing is told, nor where it cannot be: a file that is gone says nothing.
    pub(super) async fn tell_of_changed_files(&self, about: &About, report: &mut RunReport) {
        use RunStatus::{Cancelled, Compensated, Completed};
        if matches!(report.status, Completed | Compensated | Cancelled) {
            return;
        }
        let library: &dyn Blobs = &**self.system.library();
        let began = &about.started;
        let own = std::iter::once((&began.definition, &began.work_folder));
        let children = began.children.iter().map(|child| (&child.definition, &child.work_folder));
        let recorded = own.chain(children).filter_map(|(definition, folder)| {
            Some((library.value::<Definition>(&definition.hash).ok()?, Arc::clone(folder)))
        });
        let (recorded, resolver): (Vec<Recorded>, _) = (recorded.collect(), Arc::clone(&self.resolver));
        let own = recorded.first().map(|(definition, _)| Arc::clone(definition));
        // It reads files, so it blocks.
        let read = tokio::task::spawn_blocking(move || {
            let changed = recorded.iter().filter_map(|recorded| {
                let now = changed(&resolver, recorded)?;
                Some((recorded.0.source.as_ref()?.file.clone(), now))
            });
            changed.collect::<Vec<_>>()
        });
        let changed = read.await.unwrap_or_default();
        report.changed_files = changed.iter().map(|(file, _)| file.clone()).collect();
        let can_be_run = !changed.is_empty() && changed.iter().all(|(_, now)| now.is_some());
        // A run that another has started is run with that one.
        let Some(own) = own.filter(|_| can_be_run && began.parent.is_none()) else { return };
        let Some(source) = &own.source else { return };
        let now = changed.iter().find(|(file, _)| *file == source.file).and_then(|(_, now)| now.as_deref());
        let now = now.unwrap_or(&own);
        let input = library.json(&began.input).ok();
        let input = input.filter(|input| check_input(now.input.as_ref(), input).is_ok());
        let act = Act::StartChanged {
            file: source.file.clone(),
            input: input.and_then(|input| arguments_of(own.input.as_ref(), &input)),
            tags: began.tags.clone(),
        };
        report.start_changed = Some(Invocation::Act { run: about.id.clone(), act });
    }
}

/// What the file of a definition says, if that is something else; none of it where it is no workflow any more. None where it
/// cannot be told.
fn changed(resolver: &Resolver, (recorded, folder): &Recorded) -> Option<Option<Arc<Definition>>> {
    let Source { file, text: was, .. } = recorded.source.as_ref()?;
    let text = text_file::read_if_there(Path::new(file), Kind::Workflow).ok()??;
    if Hash::of(text.as_bytes()) == (*was)? {
        return None;
    }
    // Comments and the order of keys say nothing. What cannot be read any more says something else.
    let spec = RunSpec::file(file).work_folder(&**folder);
    match resolver.read(&spec) {
        Ok(family) if family.root.definition.says_the_same_as(recorded) => None,
        Ok(family) => Some(Some(Arc::new(family.root.definition))),
        Err(_) => Some(None),
    }
}
