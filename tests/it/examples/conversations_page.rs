//! What docs/conversations.md shows is what its commands print, in the order in which they stand there.

use super::told::{install, tell};
use crate::support::Sandbox;

const PAGE: &str = include_str!("../../../docs/conversations.md");

#[test]
fn the_conversation_of_the_page_is_gone_on_with_as_the_page_says() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let blocks: Vec<&str> =
        PAGE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    for shown in blocks.iter().flat_map(|block| block.split("$ cat ").skip(1)) {
        let (name, rest) = shown.split_once('\n').unwrap();
        sandbox.write(name, rest.split("\n$ ").next().unwrap());
    }
    blocks.iter().for_each(|block| tell(&sandbox, block));
    assert_eq!(blocks.iter().map(|block| block.matches("\n$ ").count() + 1).sum::<usize>(), 15);
}
