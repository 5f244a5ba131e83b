//! `reenact mcp`: a server of the Model Context Protocol on stdin and stdout, for assistants.

use std::io::IsTerminal;

use super::see::Signals;
use super::text::terminal;
use super::{Exit, Scene, say};
use crate::api::mcp::{End, serve};
use crate::events::problem::Problem;

pub(super) async fn mcp(scene: &Scene) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        scene.say.note(&terminal!(
            "this speaks MCP, and is started by an assistant: docs/mcp.md says how; end it with ctrl-d"
        ));
    }
    let (house, call) = (scene.house.clone(), scene.call.clone());
    let ended = serve(house, call, (stdin, say::raw_stdout()), async || signals.came().await).await?;
    Ok(match ended {
        End::Closed => Exit::Good,
        End::Signalled => Exit::Interrupted,
    })
}
