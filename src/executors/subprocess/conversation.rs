//! What is said to a program that converses while it runs, and what it says: on its stdin messages and what was wrong, a line of JSON
//! each; on its stdout `SEND` and `HANDLED` lines.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;

use super::super::mask::Masks;
use super::super::messages::Incoming;
use super::super::voice::Voice;
use super::super::{Failure, MessageGiven};
use super::helpers;
use super::protocol::Word;
use crate::events::json::Json;
use crate::events::problem::Code;

/// How much waits at most for a program to read it, beyond what is whole: until it has read some of that, nothing more is taken from
/// it, nor given to it.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// A conversation with a program.
pub(super) struct Conversation {
    /// Where the program reads; none once it does not any more.
    stdin: Option<Sender>,
    /// What is still to be written there.
    unread: Vec<u8>,
    /// The messages that it is given.
    incoming: Incoming,
    /// The one of them that is being read.
    reading: Option<BoxFuture<'static, Result<MessageGiven, Failure>>>,
    /// What it has said, and nobody has heard yet.
    words: VecDeque<Word>,
    /// What of that is being recorded.
    saying: Option<BoxFuture<'static, Result<(), Failure>>>,
    voice: Voice,
}

/// What was wrong with what a program said, as it is told that.
#[derive(Serialize)]
struct Wrong {
    error: WrongWith,
}

#[derive(Serialize)]
struct WrongWith {
    code: Code,
    message: String,
}

impl Conversation {
    /// One that begins with this document.
    ///
    /// # Errors
    /// When there is nobody to say when there is room in the pipe.
    pub(super) fn new(
        stdin: OwnedFd,
        document: Vec<u8>,
        voice: Voice,
        incoming: Incoming,
    ) -> io::Result<Self> {
        let stdin = Some(Sender::from_owned_fd_unchecked(stdin)?);
        let (reading, words, saying) = (None, VecDeque::new(), None);
        Ok(Self { stdin, unread: document, incoming, reading, words, saying, voice })
    }

    /// Takes in what the program has said.
    pub(super) fn hear(&mut self, words: impl Iterator<Item = Word>, masks: &Masks) {
        self.words.extend(words.map(|word| word.masked(masks)));
    }

    /// Nothing more is said to the program.
    pub(super) fn hang_up(&mut self) {
        (self.stdin, self.unread) = (None, Vec::new());
    }

    /// Whether something that the program has said is not recorded yet: until it is, nothing more is read of it.
    pub(super) fn is_speaking(&self) -> bool {
        self.saying.is_some() || !self.words.is_empty()
    }

    /// Goes on until something has changed; answers what was wrong with what the program said, if that was wrong. It may be dropped at
    /// any await and called again.
    pub(super) async fn go_on(&mut self) -> Option<Failure> {
        let has_room = self.unread.len() < UNREAD_BYTES_MAX;
        if has_room && self.saying.is_none() {
            self.saying = self.words.pop_front().map(|word| self.say(word));
        }
        let (is_saying, is_reading) = (self.saying.is_some(), self.reading.is_some());
        tokio::select! {
            said = over(&mut self.saying), if is_saying => {
                self.saying = None;
                let failure = said.err()?;
                let (code, message) = (failure.code, failure.message.clone());
                self.tell(&Wrong { error: WrongWith { code, message } });
                Some(failure)
            }
            written = write(&mut self.stdin, &self.unread), if self.stdin.is_some() && !self.unread.is_empty() => {
                match written {
                    Ok(count) => drop(self.unread.drain(..count.min(self.unread.len()))),
                    // What it was given, and does not read, it does not handle.
                    Err(_) => (self.stdin, self.unread) = (None, Vec::new()),
                }
                None
            }
            read = over(&mut self.reading), if is_reading => {
                self.reading = None;
                match read {
                    Ok(message) => {
                        self.tell(&message);
                        None
                    }
                    Err(failure) => Some(failure),
                }
            }
            unread = self.incoming.next(), if !is_reading && has_room => {
                let read = helpers::run(unread).map(|read| match read {
                    Ok(read) => read.map_err(Failure::from),
                    Err(error) => Err(Failure::new(Code::Internal, format!("a message cannot be read: {error}"))),
                });
                self.reading = Some(read.boxed());
                None
            }
            else => std::future::pending().await,
        }
    }

    fn say(&self, word: Word) -> BoxFuture<'static, Result<(), Failure>> {
        let voice = self.voice.clone();
        match word {
            Word::Send(message) => async move { voice.say(message).await }.boxed(),
            Word::Handled(id) => async move { voice.handled(&id).await }.boxed(),
            Word::Wrong(failure) => std::future::ready(Err(*failure)).boxed(),
        }
    }

    fn tell(&mut self, what: &impl Serialize) {
        // Both are made of texts and of JSON, so they have a form.
        if let (Some(_), Ok(line)) = (&self.stdin, Json::of(what)) {
            self.unread.extend_from_slice(line.text().as_bytes());
            self.unread.push(b'\n');
        }
    }
}

async fn over<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn write(stdin: &mut Option<Sender>, bytes: &[u8]) -> io::Result<usize> {
    match stdin {
        Some(stdin) => stdin.write(bytes).await,
        None => std::future::pending().await,
    }
}
