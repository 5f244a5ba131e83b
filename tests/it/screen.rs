//! What a person sees of a run: live on a terminal, in lines where there is none, and at its end. What is on a terminal is read
//! back from one.

mod collapsed;
mod colours;
mod lines;
mod live;
mod pty;

use crate::support::Sandbox;

/// A workflow whose 16 steps say how far they are, and then wait for the file `go`.
const BUSY: &str = "name: busy
steps:
  - id: each
    for_each: '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]'
    run: 'echo \"PROGRESS: 40 compiling the part with the very long name\"; for _ in $(seq 6000); do [ -e go ] && break; sleep 0.01; done'
  - {id: after, run: 'true'}
";

fn busy() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("busy.yaml", BUSY);
    sandbox
}
