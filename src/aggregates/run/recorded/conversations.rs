//! What a run hears of conversations, as it is recorded.

use super::*;
use crate::aggregates::conversation::at_hand::AtHand;
use crate::aggregates::run::conversations::OfConversation;
use crate::events::codec::CodecError;
use crate::events::ids::{ConversationName, TurnNumber};
use crate::events::json::BlobRef;

/// The recorded form of [`OfConversation::Heard`].
#[derive(Serialize, Deserialize)]
struct HeardForm {
    step: StepId,
    conversation: ConversationName,
    version: Version,
    summary: Option<(TurnNumber, Payload)>,
    pages: Vec<Payload>,
    texts: Vec<BlobRef>,
}

/// The recorded form of [`OfConversation::NotHeard`].
#[derive(Serialize, Deserialize)]
struct NotHeardForm {
    step: StepId,
    code: Code,
    message: Payload,
}

/// The recorded form of [`OfConversation::Continued`].
#[derive(Serialize, Deserialize)]
struct ContinuedForm {
    step: StepId,
    fence: Fence,
    answer: Result<Version, (Code, Payload)>,
}

pub(super) fn form_of(says: OfConversation, to: &mut Recording<'_, '_, Run>) -> Result<Vec<u8>, CodecError> {
    match says {
        OfConversation::Heard { step, conversation, at_hand } => {
            let AtHand { version, summary, pages, texts } = *at_hand;
            let pages = pages.into_iter().map(|page| to.payload(page)).collect();
            codec::to_bytes(&HeardForm { step, conversation, version, summary, pages, texts })
        }
        OfConversation::NotHeard { step, why: (code, message) } => {
            let message = words(&message, to);
            codec::to_bytes(&NotHeardForm { step, code, message })
        }
        OfConversation::Continued { step, fence, answer } => {
            let answer = answer.map_err(|(code, message)| (code, words(&message, to)));
            codec::to_bytes(&ContinuedForm { step, fence, answer })
        }
    }
}

fn words(text: &str, to: &mut Recording<'_, '_, Run>) -> Payload {
    to.payload(Json::of(text).unwrap_or_default())
}

pub(super) fn heard(name: &str, from: &Recalling<'_, Run>) -> Result<OfConversation, NotRecalled> {
    let text = |payload: &Payload| super::text(payload, from);
    Ok(match name {
        "conversation_heard" => {
            let HeardForm { step, conversation, version, summary, pages, texts } = read(from)?;
            let pages = pages.iter().map(|page| from.blobs.json(page)).collect::<Result<_, _>>()?;
            let at_hand = Box::new(AtHand { version, summary, pages, texts });
            OfConversation::Heard { step, conversation, at_hand }
        }
        "conversation_not_heard" => {
            let NotHeardForm { step, code, message } = read(from)?;
            OfConversation::NotHeard { step, why: (code, text(&message)?) }
        }
        _ => {
            let ContinuedForm { step, fence, answer } = read(from)?;
            let answer = match answer {
                Ok(version) => Ok(version),
                Err((code, message)) => Err((code, text(&message)?)),
            };
            OfConversation::Continued { step, fence, answer }
        }
    })
}
