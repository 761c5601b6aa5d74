//! Pipelines of deals, tickets and own types, and the options they give to the properties that name them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::objects::ObjectType;
use crate::property::{PropertyOption, Role};
use crate::routes::Verb;
use crate::state::State;
use crate::visit::Visit;

/// One stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stage {
    #[serde(default, alias = "stageId")]
    id: String,
    label: String,
    #[serde(default)]
    display_order: i64,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    archived: bool,
}

/// One pipeline with its stages in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pipeline {
    #[serde(default, alias = "pipelineId")]
    id: String,
    label: String,
    #[serde(default)]
    display_order: i64,
    stages: Vec<Stage>,
    #[serde(default)]
    archived: bool,
}

const DEAL_STAGES: [(&str, &str); 7] = [
    ("appointmentscheduled", "Appointment Scheduled"),
    ("qualifiedtobuy", "Qualified To Buy"),
    ("presentationscheduled", "Presentation Scheduled"),
    ("decisionmakerboughtin", "Decision Maker Bought-In"),
    ("contractsent", "Contract Sent"),
    ("closedwon", "Closed Won"),
    ("closedlost", "Closed Lost"),
];

const TICKET_STAGES: [(&str, &str); 4] = [
    ("1", "New"),
    ("2", "Waiting on contact"),
    ("3", "Waiting on us"),
    ("4", "Closed"),
];

/// The pipelines every account starts with.
pub(crate) fn first(object: ObjectType) -> Vec<Pipeline> {
    match object {
        ObjectType::Deals => vec![made("default", "Sales Pipeline", &DEAL_STAGES)],
        ObjectType::Tickets => vec![made("0", "Support Pipeline", &TICKET_STAGES)],
        _ => Vec::new(),
    }
}

fn made(id: &str, label: &str, stages: &[(&str, &str)]) -> Pipeline {
    let stages = (0..).zip(stages).map(|(order, (id, label))| Stage {
        id: (*id).to_owned(),
        label: (*label).to_owned(),
        display_order: order,
        metadata: json!({}),
        archived: false,
    });
    Pipeline {
        id: id.to_owned(),
        label: label.to_owned(),
        display_order: 0,
        stages: stages.collect(),
        archived: false,
    }
}

/// Gives the properties that name pipelines and stages the options of all pipelines.
pub(crate) fn spread(state: &mut State, object: ObjectType) {
    let pipelines = state.pipelines.get(&object).cloned().unwrap_or_default();
    let named = pipelines
        .iter()
        .map(|one| option(&one.id, &one.label, one.display_order));
    let stages = pipelines.iter().flat_map(|one| &one.stages);
    let staged = stages.map(|one| option(&one.id, &one.label, one.display_order));
    let book = &mut state.drawer_mut(object).book;
    book.set_options(Role::Pipeline, named.collect());
    book.set_options(Role::Stage, staged.collect());
}

fn option(value: &str, label: &str, display_order: i64) -> PropertyOption {
    PropertyOption {
        label: label.to_owned(),
        value: value.to_owned(),
        hidden: false,
        display_order,
        description: None,
    }
}

/// `/pipelines/{objectType}`.
pub(crate) fn pipelines(visit: &Visit<'_>, object: ObjectType, verb: Verb) -> Reply {
    let mut state = visit.state();
    match verb {
        Verb::Create => {
            let mut body: Pipeline = visit.parse()?;
            let all = state.pipelines.entry(object).or_default();
            let number = all.len();
            named(&mut body.id, || format!("pipeline-{number}"));
            for (place, stage) in body.stages.iter_mut().enumerate() {
                named(&mut stage.id, || format!("{}-{place}", body.id));
            }
            if all
                .iter()
                .any(|one| one.id == body.id || one.label == body.label)
            {
                let message = format!("A pipeline named '{}' already exists.", body.label);
                return Err(Refusal::new(409, message).with("category", "OBJECT_ALREADY_EXISTS"));
            }
            all.push(body.clone());
            spread(&mut state, object);
            Ok(Answer::json(201, &body))
        }
        _ => {
            let all = state.pipelines.get(&object);
            Ok(Answer::json(
                200,
                &json!({"results": all.map_or(&[][..], Vec::as_slice)}),
            ))
        }
    }
}

fn named(id: &mut String, name: impl FnOnce() -> String) {
    if id.is_empty() {
        *id = name();
    }
}

/// `/pipelines/{objectType}/{id}` and `…/stages`.
pub(crate) fn pipeline(visit: &Visit<'_>, object: ObjectType, id: &str, stages: bool) -> Reply {
    let state = visit.state();
    let all = state.pipelines.get(&object).into_iter().flatten();
    let found = all.into_iter().find(|one| one.id == id);
    let pipeline = found.ok_or_else(Refusal::not_found)?;
    match stages {
        true => Ok(Answer::json(200, &json!({"results": pipeline.stages}))),
        false => Ok(Answer::json(200, pipeline)),
    }
}
