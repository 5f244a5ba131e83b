use super::*;

#[test]
fn no_code_stands_for_two_things() {
    let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.text()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), Code::ALL.len());
}

#[test]
fn the_nearest_name_is_one_that_could_be_meant() {
    assert_eq!(nearest("nedes", ["needs", "run"]), Some("needs"));
    assert_eq!(nearest("banana", ["needs", "run"]), None);
}
