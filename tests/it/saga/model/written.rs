//! What a file says, and a plan: YAML and JSON.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::*;

impl Model {
    /// As a file says it. A line of JSON is YAML too.
    pub(in crate::saga) fn yaml(&self) -> String {
        let mut file = format!("name: generated\nlimits: {{lost: {}, parallel: 64", self.lost_limit);
        file.push_str(if self.duration { ", duration: 20s}\n" } else { "}\n" });
        if self.stops {
            file.push_str("on_failure: stop\n");
        }
        if !self.phases.is_empty() {
            let phases =
                self.phases.iter().map(|(phase, gate)| ((*phase).to_owned(), Value::Object(gate.keys())));
            writeln!(file, "phases: {}", Value::Object(phases.collect())).unwrap();
        }
        if self.shares {
            file.push_str("contexts: {t: team}\n");
        }
        file.push_str("steps:\n");
        for (place, step) in self.steps.iter().enumerate() {
            let mut step = step.json(place, name);
            if self.shares {
                self.share(place, &mut step);
            }
            writeln!(file, "  - {step}").unwrap();
        }
        let outputs = (0..self.steps.len()).map(|place| format!("'{{{{ steps.s{place}.status }}}}'"));
        writeln!(file, "output: [{}]", outputs.collect::<Vec<_>>().join(", ")).unwrap();
        file
    }
}

impl Model {
    /// What a step reads, and which lock it holds: one that no other wants.
    fn share(&self, place: usize, keys: &mut Value) {
        let step = &self.steps[place];
        if step.does != Does::Work {
            return;
        }
        keys["env"] =
            json!({ "K": "{{ contexts.t.k | default('-') }}", "L": "{{ contexts.t.l | default('-') }}" });
        if !matches!(step.grows, Grows::Items { .. }) {
            keys["locks"] = json!([format!("t/{}", name(place))]);
        }
    }
}

impl Plan {
    /// The list of an `add_steps`.
    pub(in crate::saga) fn json(&self) -> Value {
        let steps = self.steps.iter().enumerate();
        let mut steps: Vec<Value> = steps.map(|(place, step)| step.json(place, planned_name)).collect();
        match self.fault {
            None => {}
            Some(Fault::Twice) => steps.push(steps[0].clone()),
            Some(Fault::Circle) => steps[0]["needs"] = json!([planned_name(0)]),
            Some(Fault::Taken) => steps.push(json!({ "id": name(0), "agent": "world" })),
            Some(Fault::Workflow) => steps.push(json!({ "id": "child", "workflow": "child.yaml" })),
        }
        Value::Array(steps)
    }
}

impl Step {
    fn json(&self, place: usize, name: fn(usize) -> String) -> Value {
        let needs: Vec<String> = self.needs.iter().map(|need| name(*need)).collect();
        let mut keys = Map::new();
        let mut set = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
        set("id", json!(name(place)));
        set("needs", json!(needs));
        match self.does {
            Does::Work => set("agent", json!("world")),
            Does::Child => set("workflow", json!("child.yaml")),
            Does::Sleep => set("sleep", json!("3s")),
            Does::AskOfPhase => unreachable!("no file has such a step"),
            Does::Wait { signal, timeout } => {
                set("wait_for", json!(signal));
                if timeout {
                    set("timeout", json!("4s"));
                }
            }
        }
        match self.condition {
            Condition::Always => {}
            Condition::Never => set("if", json!("false")),
            Condition::After(need) => set("if", json!(format!("steps.{}.status == 'completed'", name(need)))),
        }
        if let Some(phase) = self.phase {
            set("phase", json!(phase));
        }
        keys.extend(self.grown());
        keys.extend(self.tried(name));
        keys.extend(self.gate.iter().flat_map(|gate| gate.keys()));
        Value::Object(keys)
    }

    fn grown(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        match self.grows {
            Grows::Nothing => {}
            Grows::Items { count, width } => {
                keys.insert("for_each".to_owned(), json!((0..count).collect::<Vec<_>>()));
                if width < usize::MAX {
                    keys.insert("max_parallel".to_owned(), json!(width));
                }
            }
            Grows::Rounds { until, max } => {
                let until = match until {
                    Until::Round(round) => format!("round >= {round}"),
                    Until::Ok => "output.ok".to_owned(),
                };
                keys.insert("repeat".to_owned(), json!({ "until": until, "max": max }));
            }
        }
        keys
    }

    /// What it says about its tries, if it makes any, and what becomes of it when they fail.
    fn tried(&self, name: fn(usize) -> String) -> Map<String, Value> {
        let mut keys = Map::new();
        let mut set = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
        let retry =
            |tries: u32| json!({ "policy": "fixed", "initial": "1s", "jitter": 0, "attempts": tries });
        match self.on_error {
            OnError::FailFast => set("on_error", json!("fail_fast")),
            OnError::Continue => set("on_error", json!("continue")),
            // The other way to say it.
            OnError::Skip => set("optional", json!(true)),
            OnError::Fail => {}
        }
        if !matches!(self.does, Does::Work | Does::Child) {
            return keys;
        }
        set("timeout", json!("10s"));
        match (self.uses, self.grows) {
            (Some(used), _) => {
                set("with", json!({ "got": format!("{{{{ steps.{}.output }}}}", name(used)) }))
            }
            (None, Grows::Items { .. }) => set("with", json!({ "got": "{{ item }}" })),
            (None, _) => {}
        }
        if self.tries > 1 {
            set("retry", retry(self.tries));
        }
        if self.fallback {
            set("fallback", json!({ "agent": "other", "prompt_suffix": " again" }));
        }
        if self.schema {
            set("schema", json!({ "required": ["ok"], "properties": { "ok": { "const": true } } }));
        }
        if let Some(undo) = self.undo {
            set(
                "compensate",
                json!({
                    "agent": "world",
                    "with": { "undo": "{{ output }}", "outcome": "{{ outcome }}" },
                    "when": if undo.when_attempted { "attempted" } else { "completed" },
                    "timeout": "10s",
                    "retry": retry(undo.tries),
                }),
            );
        }
        if self.harmless {
            set("compensate", json!("none"));
        }
        if self.irreversible {
            set("irreversible", json!(true));
        }
        if self.at_most_once {
            set("at_most_once", json!(true));
        }
        keys
    }
}

impl ApprovalRule {
    fn keys(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        let mut set = |key: &str, value: Value| drop(keys.insert(key.to_owned(), value));
        set("approve", json!(if self.before { "before" } else { "after" }));
        set("approvals", json!(self.needed));
        set("checklist", json!(["The tests passed", "Nobody is on holiday"]));
        if self.closed {
            set("approvers", json!(APPROVERS));
        }
        if self.ticked {
            set("require_checklist", json!(true));
        }
        if self.expires {
            set("expires", json!("5s"));
        }
        keys
    }
}
