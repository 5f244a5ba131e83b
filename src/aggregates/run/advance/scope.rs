//! What the expressions of a step see.

use std::collections::BTreeMap;

use super::{Advance, StartError};
use crate::aggregates::run::{Impossible, Node, StepIndex};
use crate::events::ids::StepId;
use crate::kernel::Unreadable;
use crate::workflow::scope::{References, Scope, StepReferences, StepView};

impl Advance<'_, '_> {
    /// What the expressions of a step see, or those of the run itself. Only what they refer to is looked up.
    pub(super) fn scope(
        &self,
        place: Option<StepIndex>,
        references: &References,
    ) -> Result<Scope, StartError> {
        let run = self.draft.state();
        let about = run.about().ok_or(Impossible::NotBegun)?;
        let mut steps = BTreeMap::new();
        let mut see = |id: &StepId, node: &Node| -> Result<(), Unreadable> {
            let output = node.output().map(|output| self.draft.json(output, self.moment)).transpose()?;
            let view = StepView { status: node.status(), attempts: node.attempts_now(), output };
            steps.insert(id.clone(), view);
            Ok(())
        };
        match &references.steps {
            StepReferences::All => {
                run.steps.iter().try_for_each(|node| see(node.id(), node))?;
                place
                    .into_iter()
                    .flat_map(|place| run.siblings(place))
                    .try_for_each(|node| see(&node.added.template, node))?;
            }
            StepReferences::These(ids) => {
                let meant = ids.iter().filter_map(|id| Some((id, run.meant(place, id)?)));
                meant.into_iter().try_for_each(|(id, node)| see(id, node))?;
            }
        }
        let item = place.and_then(|place| run.steps.get(place)?.item());
        let item = item
            .map(|item| Ok::<_, Unreadable>((item.index, self.draft.json(&item.value, self.moment)?)))
            .transpose()?;
        let mut context = BTreeMap::new();
        if references.context {
            for (key, known) in run.context().iter().filter(|(_, known)| known.is_there()) {
                context.insert(key.to_string(), self.draft.json(&known.value, self.moment)?);
            }
        }
        Ok(Scope {
            input: self.draft.json(&about.started.input, self.moment)?,
            run: about.id.clone(),
            env: about.started.environment.clone(),
            steps,
            context,
            contexts: place
                .map(|place| self.shared_values(place, references))
                .transpose()?
                .unwrap_or_default(),
            item,
            round: None,
            answer: None,
            undone: None,
        })
    }
}
