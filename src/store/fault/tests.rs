use super::*;
use crate::store::conformance::kit::{commit, head_after, inconsistency, stream};
use crate::store::memory::MemoryStore;
use crate::store::sled::{SledOptions, SledStore};

/// Appends to two streams in turn while appends fail as told. After each failure it reads again, as the
/// owner of a stream must, and asks whether its commit is there. Answers how often it was, and how
/// often it was not.
async fn survive<S: EventStore>(store: &Faulty<S>, faults: &[(u64, Fault)]) -> (usize, usize) {
    faults.iter().for_each(|(nth, fault)| store.fail_append(*nth, *fault));
    let (mut acknowledged, mut stored, mut lost) = (Vec::new(), 0, 0);
    for number in 0..60 {
        let stream = stream(if number % 2 == 0 { "even" } else { "odd" });
        let head = store.head(&stream).await.unwrap();
        let next = commit(&stream, head, &[format!("{number}"), "second".to_owned()]).unwrap();
        match store.append(next.clone(), Vec::new()).await {
            Ok(_) => acknowledged.push(next),
            Err(AppendError::Failed(_)) => {
                let refused = store.append(next.clone(), Vec::new()).await;
                assert!(
                    matches!(refused, Err(AppendError::Failed(_))),
                    "a failed store takes nothing: {refused:?}"
                );
                store.mend();
                match store.head(&stream).await.unwrap() {
                    now if now == Some(head_after(&next)) => stored += 1,
                    now if now == head => lost += 1,
                    now => panic!("the stream is at {now:?}, which nobody wrote"),
                }
            }
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(inconsistency(store).await.unwrap(), None);
    }
    for commit in acknowledged {
        let after = Version(commit.header.first.0 - 1);
        let read = store.read_stream(&commit.header.stream, after, commit.events.len()).await.unwrap();
        assert!(read.iter().map(|event| &event.event).eq(&commit.events), "an acknowledged commit is lost");
    }
    (stored, lost)
}

const FAULTS: [(u64, Fault); 6] = [
    (1, Fault::BeforeStoring),
    (4, Fault::AfterStoring),
    (7, Fault::AfterStoring),
    (20, Fault::BeforeStoring),
    (22, Fault::AfterStoring),
    (50, Fault::BeforeStoring),
];

#[tokio::test]
async fn after_any_fault_the_memory_store_tells_the_truth() {
    assert_eq!(survive(&Faulty::new(MemoryStore::new()), &FAULTS).await, (3, 3));
}

#[tokio::test]
async fn after_any_fault_the_sled_store_tells_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let options = SledOptions { checkpoint_commits: 5, ..SledOptions::default() };
    let store = Faulty::new(SledStore::open(folder.path(), options).unwrap());
    assert_eq!(survive(&store, &FAULTS).await, (3, 3));
}

#[tokio::test]
async fn a_store_that_mends_itself_goes_on_after_a_fault() {
    let store = Faulty::new(MemoryStore::new()).mending();
    store.fail_append(1, Fault::BeforeStoring);
    let next = commit(&stream("one"), None, &["1"]).unwrap();
    assert!(matches!(store.append(next.clone(), Vec::new()).await, Err(AppendError::Failed(_))));
    assert!(store.append(next, Vec::new()).await.is_ok());
    assert_eq!(store.appends(), 2);
}
