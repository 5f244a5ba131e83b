//! What a step costs in a run of many: the same as in a run of few.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exit;
use crate::events::ids::{Hash, StreamId, Version};
use crate::events::json::{Blob, Json};
use crate::events::problem::Class;
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::workflow::aggregate::{Aggregate, Blobs, Draft, Moment, Unreadable};
use crate::workflow::definition::Definition;
use crate::workflow::parse::{Known, parse};
use crate::workflow::run::{Ask, Run, RunCommand, RunStatus, StartRun};
use crate::workflow::work::Output;

/// Remembers the definition, as whoever is asked often does.
struct Remembered(Arc<Definition>);

impl Blobs for Remembered {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        Err(Unreadable { hash: *hash, why: "it is not kept".to_owned() })
    }

    fn definition(&self, _: &Hash) -> Result<Arc<Definition>, Unreadable> {
        Ok(Arc::clone(&self.0))
    }
}

/// A run whose attempts are made in the order in which they started.
struct Long {
    run: Run,
    blobs: Remembered,
    stream: StreamId,
    version: Version,
    open: VecDeque<AttemptStarted>,
}

impl Long {
    /// A run of many steps that need nothing, and of one that needs all of them.
    fn start(steps: usize) -> Self {
        let ids: Vec<String> = (0..steps).map(|step| format!("s{step}")).collect();
        let one =
            |id: &String| format!("  - {{id: {id}, needs: [], run: 'true', compensate: {{run: undo}}}}\n");
        let many: String = ids.iter().map(one).collect();
        let yaml =
            format!("name: w\nsteps:\n{many}  - {{id: last, needs: [{}], run: 'true'}}\n", ids.join(", "));
        let definition = Arc::new(parse(&yaml, "test.yaml", &Known::default()).unwrap().definition);
        let start = StartRun {
            definition: Arc::clone(&definition),
            definition_blob: Blob::new(*b"the definition"),
            input: Json::parse("{}").unwrap(),
            tags: BTreeMap::new(),
            work_folder: "/".into(),
            parent: None,
            environment: BTreeMap::new(),
            agents: Vec::new(),
            parallel: 16,
            lost_limit: 3,
            duration_limit: None,
            until: None,
            drive: true,
        };
        let mut long = Self {
            run: Run::default(),
            blobs: Remembered(definition),
            stream: StreamId::new("run", "r"),
            version: Version(0),
            open: VecDeque::new(),
        };
        long.ask(Ask::Start(Box::new(start)));
        long
    }

    /// Asks as the host does: with all the slots that could be used, and looking at the state afterwards.
    fn ask(&mut self, ask: Ask) {
        let drive = Some(self.run.startable(&ask));
        let moment = Moment { now: Timestamp(1), blobs: &self.blobs };
        let mut draft = Draft::new(&mut self.run, &self.stream, self.version, moment.now);
        Run::decide(&mut draft, RunCommand { ask, seed: 7, drive }, &moment).unwrap();
        let decided = draft.finish();
        assert!(decided.illegal.is_none());
        self.version = self.version.plus(decided.events.len() as u64);
        for event in decided.events {
            if let RunEvent::AttemptStarted(started) = event {
                self.open.push_back(started);
            }
        }
        std::hint::black_box((self.run.status(), self.run.progress(), self.run.wants_driving()));
        std::hint::black_box(self.run.startable(&Ask::Go));
    }

    fn complete(&mut self) {
        let AttemptStarted { step, fence, .. } = self.open.pop_front().unwrap();
        self.ask(Ask::Completed { step, fence, output: Output::default() });
    }
}

/// How long it takes to undo one of so many steps.
fn unwound(steps: usize) -> Duration {
    let mut long = Long::start(steps);
    (0..steps).for_each(|_| long.complete());
    let AttemptStarted { step, fence, .. } = long.open.pop_front().unwrap();
    long.ask(Ask::Failed { step, fence, failure: exit(Class::Fatal) });
    long.ask(Ask::Go);
    let began = Instant::now();
    while long.run.status() == RunStatus::Compensating {
        long.complete();
    }
    began.elapsed() / u32::try_from(steps).unwrap()
}

#[test]
fn undoing_a_step_costs_the_same_however_many_there_are() {
    // The best of three: others use this machine too.
    let best = |steps| (0..3).map(|_| unwound(steps)).min().unwrap();
    let (few, many) = (best(400), best(6_400));
    assert!(many < 4 * few, "of 400 steps {few:?} each, of 6,400 {many:?} each");
}
