//! What a run asks of shared contexts: its events, and what it is told.

use reenact::aggregates::context::{LockSays, OfContext};
use reenact::aggregates::conversation::at_hand::AtHand;
use reenact::aggregates::run::{Ask, LockOf, OfConversation, OfShared};
use reenact::events::context::Held;
use reenact::events::conversation::Role;
use reenact::events::ids::{
    ContextKey, ContextName, ConversationName, KeyVersion, LockFence, LockName, TurnNumber,
};

use super::*;

fn context() -> ContextName {
    ContextName::parse("prices").unwrap()
}

fn key(name: &str) -> ContextKey {
    ContextKey::parse(name).unwrap()
}

fn lock() -> LockName {
    LockName::parse("build").unwrap()
}

fn owner() -> Arc<str> {
    "first/tag#7".into()
}

fn conversation() -> ConversationName {
    ConversationName::parse("review").unwrap()
}

fn until() -> Timestamp {
    Timestamp(1_795_219_200_000_000)
}

pub(super) fn events() -> Vec<RunEvent> {
    let purpose = Purpose::Compensate;
    let keys = vec![
        SharedKey { key: key("tea"), expected: Some(KeyVersion(299)), value: inline("12.50") },
        SharedKey { key: key("old"), expected: None, value: Payload::Blob(blob("value")) },
    ];
    let held = Some(Held { lock: lock(), fence: LockFence(70_000) });
    let writes = vec![SharedWrite { context: context(), keys, held }];
    let turns = vec![
        TurnToAdd { role: Role::User, name: None, content: inline("\"Why?\"") },
        TurnToAdd {
            role: Role::Assistant,
            name: Some(AgentName::new("ada")),
            content: Payload::Blob(blob("turn")),
        },
    ];
    vec![
        ContextAwaited { step: step("tag"), keys: vec![(context(), key("tea")), (context(), key("old"))] }
            .into(),
        ContextRead {
            step: step("tag"),
            context: context(),
            key: key("tea"),
            version: KeyVersion(300),
            value: Payload::Blob(blob("value")),
        }
        .into(),
        LockRequested {
            step: step("tag"),
            purpose,
            context: context(),
            lock: lock(),
            owner: owner(),
            until: until(),
        }
        .into(),
        LockAcquired {
            step: step("tag"),
            context: context(),
            lock: lock(),
            fence: LockFence(70_000),
            until: until(),
        }
        .into(),
        LockGivenBack { context: context(), lock: lock(), owner: owner() }.into(),
        PreparationWithdrawn { step: step("tag") }.into(),
        AttemptAnswered {
            purpose,
            step: step("tag"),
            attempt: 3,
            answer: Payload::Blob(blob("answer")),
            writes,
            turns: Some(TurnsToAdd { conversation: conversation(), turns }),
        }
        .into(),
        ContextWritten { purpose, step: step("tag"), attempt: 3, context: context() }.into(),
    ]
    .into_iter()
    .chain(read_and_continued())
    .collect()
}

fn read_and_continued() -> Vec<RunEvent> {
    vec![
        ConversationAwaited { step: step("tag"), conversation: conversation() }.into(),
        ConversationRead {
            step: step("tag"),
            conversation: conversation(),
            version: Version(300),
            summary: Some((TurnNumber(1), inline("\"It was long.\""))),
            pages: vec![inline("[{\"turn\":299}]"), Payload::Blob(blob("page"))],
            texts: vec![blob("long")],
        }
        .into(),
        ConversationContinued {
            step: step("tag"),
            attempt: 3,
            conversation: conversation(),
            version: Version(302),
        }
        .into(),
    ]
}

pub(super) fn commands() -> Vec<Ask> {
    let of = || LockOf { context: context(), lock: lock(), owner: owner() };
    let why = || (Code::LockHeld, "because ".repeat(100));
    let price = Json::parse("{\"eur\": 12.50}").unwrap();
    let values = vec![
        (context(), key("tea"), KeyVersion(300), price),
        (context(), key("old"), KeyVersion(0), Json::null()),
    ];
    let says = LockSays::Granted { fence: LockFence(70_000), until: until() };
    let granted = OfContext { context: context(), lock: lock(), owner: owner(), says };
    let says = [
        OfShared::Read { step: step("tag"), values },
        OfShared::NotRead { step: step("tag"), why: why() },
        OfShared::Lock(granted),
        OfShared::LockRefused { step: step("tag"), of: of(), why: why() },
        OfShared::GivenBack(of()),
        OfShared::Written { step: step("tag"), fence: Fence(300), context: context(), refused: Some(why()) },
    ];
    let says = says.into_iter().chain(of_conversations().map(OfShared::Conversation));
    says.map(|says| Ask::OfShared(Box::new(says))).collect()
}

fn of_conversations() -> [OfConversation; 3] {
    let at_hand = AtHand {
        version: Version(300),
        summary: Some((TurnNumber(1), Payload::Blob(blob("summary")))),
        pages: vec![Json::parse("[{\"turn\":299}]").unwrap()],
        texts: vec![blob("long")],
    };
    let why = (Code::ConversationFull, "because ".repeat(100));
    [
        OfConversation::Heard { step: step("tag"), conversation: conversation(), at_hand: Box::new(at_hand) },
        OfConversation::NotHeard { step: step("tag"), why: why.clone() },
        OfConversation::Continued { step: step("tag"), fence: Fence(300), answer: Err(why) },
    ]
}
