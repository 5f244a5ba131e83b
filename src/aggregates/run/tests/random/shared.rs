//! What a random run wants of shared contexts, which answer at random.

use super::*;
use crate::aggregates::context::{LockSays, OfContext};
use crate::aggregates::run::{FoundAnswer, OfShared, SharedEffect};
use crate::events::ids::{KeyVersion, LockFence};
use crate::events::run::AnswerSource;

pub(super) const CONTEXTS: &str = "contexts: {t: team, o: other}\n";

pub(super) const IFS: &[&str] =
    &["", "    if: contexts.t.k is not defined or contexts.t.k != 2\n", "    if: contexts.o.k > 0\n"];

pub(super) const LOCKS: &[&str] = &["", "", "    locks: [t/build]\n", "    locks: [o/build, team/test]\n"];

/// What a run wants of contexts.
fn wanted(play: &Play) -> Vec<SharedEffect> {
    let open = play.state().open().into_iter();
    let shared = open.filter_map(|effect| match effect {
        RunEffect::Shared(effect) => Some(effect),
        _ => None,
    });
    shared.collect()
}

/// A context answers one of the things that the run wants, or says again what nobody waits for any more.
pub(super) fn any_answer(dice: &mut Dice, play: &mut Play) {
    let wanted = wanted(play);
    if wanted.is_empty() {
        return;
    }
    let effect = pick(dice, &wanted).clone();
    let says = answer(&effect, dice.below(4) as u64, dice.one_in(8), play);
    let again = says.clone();
    play.ask(Ask::OfShared(Box::new(says)));
    if dice.one_in(4) {
        // There may be slots again by then, for what waited for one, and that has values to ask for.
        let told = play.ask(Ask::OfShared(Box::new(again)));
        let is_told = |word: &String| {
            [
                "context_read",
                "context_written",
                "conversation_read",
                "conversation_continued",
                "lock_acquired",
                "cache_hit",
                "cache_missed",
            ]
            .iter()
            .any(|kind| word.starts_with(kind))
        };
        assert!(!told.iter().any(is_told), "what was heard once changes nothing: {told:?}");
    }
}

/// All that it wants is answered, and nothing is refused.
pub(super) fn let_go_on(play: &mut Play) {
    for _ in 0..100 {
        let Some(effect) = wanted(play).into_iter().next() else { return };
        let says = answer(&effect, 1, false, play);
        play.ask(Ask::OfShared(Box::new(says)));
    }
    panic!("it asks for ever");
}

fn answer(effect: &SharedEffect, version: u64, refuses: bool, play: &Play) -> OfShared {
    let why = || (Code::ContextConflict, "no".to_owned());
    let until = play.now.after(Duration::from_secs(if version == 0 { 1 } else { 60 }));
    match effect.clone() {
        SharedEffect::Read { step, .. } if refuses => OfShared::NotRead { step, why: why() },
        SharedEffect::Read { step, keys } => {
            let value = Json::from(&serde_json::json!(version));
            let value = |(context, key)| (context, key, KeyVersion(version), value.clone());
            OfShared::Read { step, values: keys.into_iter().map(value).collect() }
        }
        SharedEffect::LookUp(awaited) if refuses => {
            OfShared::NotLookedUp { step: awaited.step.clone(), why: why() }
        }
        SharedEffect::LookUp(awaited) => {
            let source = AnswerSource {
                run: RunId::parse("other").unwrap(),
                step: awaited.step.clone(),
                version: Version(7),
            };
            let answer = Json::from(&serde_json::json!({"x": version, "n": version}));
            let found = (version < 2).then(|| FoundAnswer { source, answer, artifacts: Vec::new() });
            OfShared::LookedUp { step: awaited.step.clone(), key: awaited.work, found }
        }
        SharedEffect::Lock { step, of, .. } if refuses && version == 0 => {
            OfShared::LockRefused { step, of, why: why() }
        }
        SharedEffect::Lock { of, .. } => {
            let says = match refuses {
                true => LockSays::WaitEnded { holder: None },
                false => LockSays::Granted { fence: LockFence(version + 1), until },
            };
            OfShared::Lock(OfContext { context: of.context, lock: of.lock, owner: of.owner, says })
        }
        SharedEffect::GiveBack(of) => OfShared::GivenBack(of),
        SharedEffect::Write { step, fence, context } => {
            OfShared::Written { step, fence, context, refused: refuses.then(why) }
        }
        SharedEffect::Hear { .. } | SharedEffect::Continue { .. } => {
            OfShared::Conversation(conversations::answer(effect, version, refuses))
        }
    }
}

impl Audit {
    /// Whoever is tried has got its locks before, anew for each attempt.
    pub(super) fn locked(&mut self, play: &Play, event: &RunEvent, context: &str) {
        self.purse.see(event).unwrap_or_else(|why| panic!("{context}: {why}"));
        self.talks.see(play, event, context);
        match event {
            RunEvent::LockAcquired(acquired) => *self.locks.entry(acquired.step.clone()).or_default() += 1,
            RunEvent::AttemptStarted(started) => {
                let got = self.locks.remove(&started.step).unwrap_or_default();
                let nodes = play.state().nodes();
                let node = nodes.iter().find(|node| *node.id() == started.step).unwrap();
                let template = format!("id: {}\n", node.added.template);
                let step = context.split("- ").find(|step| step.starts_with(&template));
                let wants = match step {
                    Some(step) if step.contains("locks: [t/build]") => 1,
                    Some(step) if step.contains("locks: [o/build") => 2,
                    _ => 0,
                };
                assert!(got >= wants, "{context}: `{}` is tried without its locks", started.step);
            }
            _ => {}
        }
    }
}
