//! The life of a conversation in the hands of the kit: it dies before any output, and whoever asks asks again under the same id.

use super::*;
use crate::events::ids::{CommandId, StreamId};
use crate::events::time::Timestamp;
use crate::kernel::core::{Envelope, Residency};
use crate::testing::Broken;
use crate::testing::hosted::Hosted;

fn script() -> Vec<ConversationAsk> {
    let says = |sizes: &[u32]| add(sized(sizes), WINDOW, None);
    let long = vec![NewTurn { tokens: 20, ..user(&"long ".repeat(200)) }];
    vec![
        add(vec![NewTurn { tokens: 10, ..pinned("Answer in one sentence.") }], WINDOW, None),
        says(&[20, 20]),
        add(long, WINDOW, None),
        says(&[30]),
        pin(1, false),
        says(&[40]),
        pin(6, true),
        says(&[40, 40]),
    ]
}

struct Life {
    hosted: Hosted<Conversation>,
    outputs: usize,
}

impl Life {
    fn happen(&mut self, number: usize, ask: &ConversationAsk) -> Result<(), Broken> {
        self.hosted.drive(Residency::Pinned)?;
        let id = Some(CommandId::derived(&["ask", &number.to_string()]));
        let mut ask = ask.clone();
        loop {
            let envelope = Envelope { id, ..Envelope::default() };
            match self.hosted.send(ask.clone(), envelope, false)? {
                Some(Err(problem)) if problem.code == Code::ConversationChanged => {
                    let ConversationAsk::Add(wanted) = &mut ask else {
                        return Err(Broken::new(problem.message));
                    };
                    let thought =
                        leaving(self.hosted.state(), &wanted.turns, &wanted.window, &*self.hosted.blobs());
                    wanted.compression = thought.unwrap().map(Leaving::extracted);
                }
                Some(Err(problem)) => return Err(Broken::new(problem.message)),
                // It was taken, or the process died.
                Some(Ok(_)) | None => return Ok(()),
            }
        }
    }

    fn live(dies_at: Option<(usize, usize)>) -> Result<Self, Broken> {
        let hosted = Hosted::new(StreamId::new("conversation", "talk"), (), Timestamp(1));
        let mut life = Self { hosted, outputs: 0 };
        for (number, ask) in script().iter().enumerate() {
            if let Some((_, nth)) = dies_at.filter(|(at, _)| *at == number) {
                life.hosted.die_before(nth);
            }
            life.hosted.take_trail();
            life.happen(number, ask)?;
            life.outputs = life.outputs.max(life.hosted.take_trail().len());
            if dies_at.is_some_and(|(at, _)| at == number) {
                life.hosted.crash();
                life.happen(number, ask)?;
            }
        }
        life.hosted.check_prefixes()?;
        Ok(life)
    }
}

#[test]
fn a_conversation_survives_a_crash_before_any_output_and_no_turn_is_added_twice() {
    let meant = Life::live(None).unwrap();
    assert_eq!(meant.hosted.state().last(), TurnNumber(8));
    assert!(meant.hosted.state().archive().pages >= 2, "{:?}", meant.hosted.state().archive());
    assert!(meant.outputs >= 3, "{}", meant.outputs);
    for step in 0..script().len() {
        for output in 0..=meant.outputs {
            let life = Life::live(Some((step, output)));
            let life = life.unwrap_or_else(|broken| panic!("{step} {output}: {broken}"));
            assert_eq!(life.hosted.state(), meant.hosted.state(), "{step} {output}");
        }
    }
}
