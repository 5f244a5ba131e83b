//! Sending to an actor from where nobody can wait.

use actix::dev::{SendError, ToEnvelope};
use actix::{Actor, Addr, Handler, Message};

/// Sends without waiting where there is room, else as soon as there is.
pub(super) fn send<A, M>(address: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    if let Err(SendError::Full(message)) = address.try_send(message) {
        let address = address.clone();
        actix::spawn(async move { address.send(message).await });
    }
}
