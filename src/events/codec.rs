//! Bytes of events and commits. The only place that names bincode.
//!
//! bincode does not describe itself: a field or variant more changes, silently, what old bytes mean. So
//! bytes of events are read only through the table at the end of this file, keyed by type name and schema
//! number. All bytes must be consumed and sizes are limited (see [`super::limits`]). A payload struct of
//! `events::run` never changes once it was released: its old shape moves to [`old`], gets an upcaster, and
//! the new one the next schema number. Every row of the table has a golden file in `tests/golden`, which
//! is never made anew.

pub mod old;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Deserialize, Serialize};

use super::agent::*;
use super::cache::*;
use super::context::*;
use super::conversation::*;
use super::mind::*;
use super::run::*;

/// The most that decoding one value may allocate, in bytes, also where its bytes are damaged. For values
/// longer than [`SHORT_BYTES_MAX`] another bound holds.
pub const DECODED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of its budget the decoder spends on a byte at most: it counts the whole width of a number.
const BUDGET_A_BYTE: usize = 8;

/// No value of so many bytes or fewer can exceed [`DECODED_BYTES_MAX`].
pub const SHORT_BYTES_MAX: usize = DECODED_BYTES_MAX / BUDGET_A_BYTE;

/// The bound for longer values, in bytes. It is above everything that was ever stored: the keys of the parts
/// of a commit end at 256 MiB.
const LONG_DECODED_BYTES_MAX: usize = BUDGET_A_BYTE * 256 * 1024 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<DECODED_BYTES_MAX>> =
    bincode::config::standard().with_limit::<DECODED_BYTES_MAX>();

const LONG_CONFIG: Configuration<LittleEndian, Varint, Limit<LONG_DECODED_BYTES_MAX>> =
    bincode::config::standard().with_limit::<LONG_DECODED_BYTES_MAX>();

/// Why bytes could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The value is of a kind that bincode does not have.
    #[error("not encodable: {0}")]
    Encode(String),
    /// The value is longer than what is stored may be.
    #[error("{size} bytes are more than the {max} that are stored")]
    TooLong {
        /// How many bytes it has, or would have at least.
        size: usize,
        /// The bound, in bytes.
        max: usize,
    },
    /// The bytes are not those of the wanted type.
    #[error("not decodable: {0}")]
    Decode(String),
    /// Bytes are left over, so they were written as something else.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// This build has no row for the type and schema.
    #[error("this version does not know the event `{kind}` at schema {schema}")]
    UnknownEvent {
        /// The type name found.
        kind: String,
        /// The schema number found.
        schema: u16,
    },
}

/// The bytes of a value.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    /// More than most events have: a buffer that grows with them is copied half a dozen times.
    const USUAL_BYTES: usize = 192;
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    append_bytes(&mut bytes, value).map(|()| bytes)
}

/// Writes a value behind the bytes that are there.
pub fn append_bytes<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), CodecError> {
    let appended = bincode::serde::encode_into_std_write(value, bytes, CONFIG);
    appended.map(drop).map_err(|error| CodecError::Encode(error.to_string()))
}

/// The value of some bytes, all of which must belong to it; it may borrow from them.
pub fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    match split_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError::LeftOver(rest.len())),
    }
}

/// The value that stands at the beginning of some bytes, and what comes after it.
pub fn split_from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), CodecError> {
    // The other way of decoding copies every text before it is looked at.
    let decoded = match bytes.len() {
        ..=SHORT_BYTES_MAX => bincode::serde::borrow_decode_from_slice(bytes, CONFIG),
        _ => bincode::serde::borrow_decode_from_slice(bytes, LONG_CONFIG),
    };
    let (value, used) = decoded.map_err(|error| CodecError::Decode(error.to_string()))?;
    Ok((value, bytes.get(used..).unwrap_or_default()))
}

/// An event that has a stable name and bytes.
pub trait Encoded: Sized {
    /// The stable type name, in snake_case.
    fn kind(&self) -> &'static str;
    /// The schema number that this build writes.
    fn schema(&self) -> u16;
    /// The payload, encoded with bincode.
    fn encode(&self) -> Result<Vec<u8>, CodecError>;
    /// Decodes a payload of any schema that was ever written; [`CodecError::UnknownEvent`] for any other.
    fn decode(kind: &str, schema: u16, payload: &[u8]) -> Result<Self, CodecError>;
}

/// `Variant "name" schema` is what is written now; `<- schema Shape` are older shapes and turn into it.
macro_rules! event_table {
    ($event:ident { $($variant:ident $kind:literal $schema:literal $(<- $old_schema:literal $old:ident)*;)* }) => {
        impl Encoded for $event {
            fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }
            fn schema(&self) -> u16 {
                match self { $(Self::$variant(_) => $schema,)* }
            }
            fn encode(&self) -> Result<Vec<u8>, CodecError> {
                match self { $(Self::$variant(event) => to_bytes(event),)* }
            }
            fn decode(kind: &str, schema: u16, payload: &[u8]) -> Result<Self, CodecError> {
                match (kind, schema) {
                    $(
                        ($kind, $schema) => from_bytes(payload).map(Self::$variant),
                        $(($kind, $old_schema) => from_bytes::<old::$old>(payload).map(|old| Self::$variant(old.into())),)*
                    )*
                    _ => Err(CodecError::UnknownEvent { kind: kind.to_owned(), schema }),
                }
            }
        }

        impl $event {
            /// Every (type, schema) that this build reads.
            pub const TABLE: &'static [(&'static str, u16)] = &[$(($kind, $schema), $(($kind, $old_schema),)*)*];
        }
    };
}

event_table! {
    RunEvent {
        RunStarted "run_started" 7 <- 1 RunStartedV1 <- 2 RunStartedV2 <- 3 RunStartedV3 <- 4 RunStartedV4 <- 5 RunStartedV5 <- 6 RunStartedV6;
        StepAdded "step_added" 5 <- 1 StepAddedV1 <- 2 StepAddedV2 <- 3 StepAddedV3 <- 4 StepAddedV4;
        AttemptStarted "attempt_started" 1;
        AttemptFailed "attempt_failed" 3 <- 1 AttemptFailedV1 <- 2 AttemptFailedV2;
        AttemptLost "attempt_lost" 2 <- 1 AttemptLostV1;
        RetryScheduled "retry_scheduled" 1;
        FallbackEngaged "fallback_engaged" 1;
        StepCompleted "step_completed" 3 <- 1 StepCompletedV1 <- 2 StepCompletedV2;
        StepSkipped "step_skipped" 1;
        StepFailed "step_failed" 1;
        StepCancelled "step_cancelled" 1;
        TimerSet "timer_set" 1;
        TimerFired "timer_fired" 1;
        ApprovalRequested "approval_requested" 2 <- 1 ApprovalRequestedV1;
        ApprovalChecked "approval_checked" 1;
        ApprovalGranted "approval_granted" 1;
        ApprovalRefused "approval_refused" 1;
        ApprovalExpired "approval_expired" 1;
        SignalAwaited "signal_awaited" 1;
        SignalReceived "signal_received" 1;
        ChildStarted "child_started" 1;
        ChildRested "child_rested" 1;
        ChildStirred "child_stirred" 1;
        ChildEnded "child_ended" 2 <- 1 ChildEndedV1;
        ReturnAsked "return_asked" 1;
        ReturnAnswered "return_answered" 1;
        ChildPastReturn "child_past_return" 1;
        TellingBegan "telling_began" 1;
        ParentTold "parent_told" 1;
        DrivingBegan "driving_began" 1;
        AgentAwaited "agent_awaited" 1;
        AgentAwaitEnded "agent_await_ended" 1;
        ContextChanged "context_changed" 1;
        ContextAwaited "context_awaited" 1;
        ContextRead "context_read" 1;
        LockRequested "lock_requested" 1;
        LockAcquired "lock_acquired" 1;
        LockGivenBack "lock_given_back" 1;
        PreparationWithdrawn "preparation_withdrawn" 1;
        AttemptAnswered "attempt_answered" 2 <- 1 AttemptAnsweredV1;
        ContextWritten "context_written" 1;
        ConversationAwaited "conversation_awaited" 1;
        ConversationRead "conversation_read" 1;
        ConversationContinued "conversation_continued" 1;
        ModelCalled "model_called" 1;
        HandoffDeclared "handoff_declared" 1;
        AnswerNoted "answer_noted" 1;
        Escalated "escalated" 1;
        RepairAsked "repair_asked" 1;
        RequestRouted "request_routed" 1;
        BudgetSet "budget_set" 1;
        BudgetReserved "budget_reserved" 1;
        BudgetSettled "budget_settled" 1;
        BudgetExhausted "budget_exhausted" 1;
        BudgetRaised "budget_raised" 1;
        TaskOffered "task_offered" 1;
        TaskTaken "task_taken" 1;
        TaskProgressed "task_progressed" 1;
        TaskLapsed "task_lapsed" 1;
        MessageSent "message_sent" 2 <- 1 MessageSentV1;
        MessageHandled "message_handled" 2 <- 1 MessageHandledV1;
        MessageGiven "message_given" 1;
        DeliveryStarted "delivery_started" 1;
        DeliveryFailed "delivery_failed" 1;
        DeliveryLost "delivery_lost" 1;
        MessageExpired "message_expired" 1;
        RunPaused "run_paused" 1;
        RunUnpaused "run_unpaused" 1;
        PausePlanned "pause_planned" 1;
        CancelRequested "cancel_requested" 1;
        RetryRequested "retry_requested" 1;
        RollbackStarted "rollback_started" 3 <- 1 RollbackStartedV1 <- 2 RollbackStartedV2;
        CompensationStarted "compensation_started" 1;
        StepCompensated "step_compensated" 2 <- 1 StepCompensatedV1;
        CompensationFailed "compensation_failed" 1;
        CompensationResolved "compensation_resolved" 1;
        RunCompleted "run_completed" 1;
        RunFailed "run_failed" 1;
        RunCompensated "run_compensated" 1;
        RunCancelled "run_cancelled" 1;
        RunStuck "run_stuck" 1;
        CacheBypassed "cache_bypassed" 1;
        CacheAwaited "cache_awaited" 1;
        CacheHit "cache_hit" 1;
        CacheMissed "cache_missed" 1;
        AnswerKept "answer_kept" 1;
    }
}

event_table! {
    ContextEvent {
        ContextSet "context_set" 1;
        LockAwaited "lock_awaited" 1;
        LockGranted "lock_granted" 1;
        LockRenewed "lock_renewed" 1;
        LockReleased "lock_released" 1;
        LockExpired "lock_expired" 1;
        LockWaitEnded "lock_wait_ended" 1;
        LockWaitEndTold "lock_wait_end_told" 1;
    }
}

event_table! {
    CacheEvent {
        CacheCleared "cache_cleared" 1;
    }
}

event_table! {
    MindEvent {
        MessageTaken "message_taken" 1;
        Remembered "remembered" 1;
    }
}

event_table! {
    ConversationEvent {
        WindowSet "window_set" 1;
        TurnAdded "turn_added" 1;
        TurnPinned "turn_pinned" 1;
        TurnUnpinned "turn_unpinned" 1;
        ConversationCompressed "conversation_compressed" 1;
    }
}

event_table! {
    AgentEvent {
        AgentRegistered "agent_registered" 1;
        AgentPaused "agent_paused" 1;
        AgentUnpaused "agent_unpaused" 1;
        AgentDraining "agent_draining" 1;
    }
}
