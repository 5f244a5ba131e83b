//! `reenact signal RUN NAME [JSON]`: a run gets a signal, for the step that waits for it, or that will.

use super::arguments::SignalArguments;
use super::{Exit, Scene, control};
use crate::api::protocol::Control;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};

pub(super) async fn signal(scene: &Scene, arguments: SignalArguments) -> Result<Exit, Problem> {
    let SignalArguments { run, name, says, who, then } = arguments;
    let data = says.as_deref().map(read).transpose()?.unwrap_or_default();
    control::answer(scene, run, Control::Signal { name: name.into(), data }, who, then.into()).await
}

/// Reads the data of a signal from its argument.
fn read(text: &str) -> Result<Json, Problem> {
    Json::read(text).map_err(|why| {
        let problem =
            Problem::new(Code::Usage, format!("what the signal says is not JSON that can be taken: {why}"));
        match why.code() {
            Code::NotJson => {
                problem.hint("quote it for the shell, and a text for JSON too: '{\"ok\": true}', '\"yes\"'")
            }
            code => problem.hint(code.remedies().to_vec()),
        }
    })
}
