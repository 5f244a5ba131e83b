//! The life of a context in the hands of the kit: it dies before any output, and whoever asks asks again.

use super::*;
use crate::kernel::core::Residency;
use crate::testing::Broken;
use crate::testing::hosted::Hosted;

/// What happens, in order: somebody asks, or so many seconds after the beginning have come.
enum Happens {
    Asked(ContextAsk),
    Is(i64),
}

fn script() -> Vec<Happens> {
    let under = Set {
        keys: vec![SetKey { key: key("a"), value: json("[2]"), expected: Some(KeyVersion(1)) }],
        by: "bob".into(),
        held: Some(held("build", 2)),
    };
    vec![
        Happens::Asked(set("ada", &[("a", "1", Some(0)), ("b", "\"x\"", Some(0))])),
        Happens::Asked(wait_for_stream("build", "ada", 20)),
        Happens::Asked(wait_for_stream("build", "bob", 20)),
        Happens::Asked(wait_for_stream("build", "cara", 5)),
        Happens::Is(5),
        Happens::Is(12),
        Happens::Asked(ContextAsk::Set(under)),
        Happens::Asked(wait_for_stream("build", "dora", 90)),
        Happens::Is(13),
        Happens::Asked(release("build", "bob", 2)),
        Happens::Asked(set("dora", &[("b", "null", Some(1))])),
    ]
}

struct Life {
    hosted: Hosted<Context>,
    outputs: usize,
    /// Each grant that a stream was told of, and each wait in vain.
    told: Vec<String>,
}

impl Life {
    fn new() -> Self {
        let hosted = Hosted::new(StreamId::new("context", "prices"), (), at(1));
        Self { hosted, outputs: 0, told: Vec::new() }
    }

    /// Brings what it says to streams, and back to it what they answer.
    fn bring(&mut self) -> Result<(), Broken> {
        loop {
            let said = self.hosted.take_said();
            if said.is_empty() || self.hosted.is_dead() {
                return Ok(());
            }
            for saying in said {
                let blobs = self.hosted.blobs();
                let says = (saying.message.write)(&*blobs).unwrap().command::<OfContext>().unwrap();
                self.told.push(match says.says {
                    LockSays::Granted { fence, .. } => format!("{} holds {fence}", says.owner),
                    LockSays::WaitEnded { .. } => format!("{} waited in vain", says.owner),
                });
                if let Some(told) = Context::answered(&saying.effect, Ok(Version(1))) {
                    self.hosted.ask(told, false)?;
                }
            }
        }
    }

    fn happen(&mut self, happens: &Happens) -> Result<(), Broken> {
        self.hosted.drive(Residency::Pinned)?;
        match happens {
            Happens::Asked(ask) => {
                if let Some(Err(problem)) = self.hosted.ask(ask.clone(), false)?
                    // It was taken before the process died.
                    && problem.code != Code::ContextConflict
                    && problem.code != Code::LockNotHeld
                {
                    return Err(Broken::new(problem.message));
                }
            }
            Happens::Is(seconds) => {
                self.hosted.now = at(*seconds);
                if self.hosted.wakes_at().has_come(crate::kernel::Now::at(self.hosted.now)) {
                    self.hosted.wake()?;
                }
            }
        }
        self.bring()
    }

    fn live(mut self, dies_at: Option<(usize, usize)>) -> Result<Self, Broken> {
        for (number, happens) in script().iter().enumerate() {
            if let Some((_, nth)) = dies_at.filter(|(at, _)| *at == number) {
                self.hosted.die_before(nth);
            }
            self.hosted.take_trail();
            self.happen(happens)?;
            self.outputs = self.outputs.max(self.hosted.take_trail().len());
            if dies_at.is_some_and(|(at, _)| at == number) {
                self.hosted.crash();
                self.happen(happens)?;
            }
        }
        self.hosted.check_prefixes()?;
        self.told.sort();
        self.told.dedup();
        Ok(self)
    }
}

#[test]
fn a_context_survives_a_crash_before_any_output() {
    let meant = Life::new().live(None).unwrap();
    assert_eq!(queue(meant.hosted.state(), "build"), ["dora"]);
    assert_eq!(meant.told, ["ada holds 1", "bob holds 2", "cara waited in vain", "dora holds 3"]);
    assert!(meant.outputs >= 5, "{}", meant.outputs);
    for step in 0..script().len() {
        for output in 0..=meant.outputs {
            let life = Life::new().live(Some((step, output)));
            let life = life.unwrap_or_else(|broken| panic!("{step} {output}: {broken}"));
            assert_eq!(life.hosted.state(), meant.hosted.state(), "{step} {output}");
            assert_eq!(
                life.told, meant.told,
                "{step} {output}: whoever waited was told, as often as it took"
            );
        }
    }
}
