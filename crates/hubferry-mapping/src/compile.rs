//! From a mapping's JSON to its tree, with every fault that the text alone shows.

use std::fmt;

use serde_json::{Map, Value};

use crate::directives;
use crate::fault::MappingFault;
use crate::liquid::Liquid;
use crate::mapping::with_root_directive;
use crate::node::{Dynamic, LiquidAt, Node, Transform};
use crate::path::{Path, PathDialect};
use crate::template::Template;
use crate::text::kind_name;

/// How deep objects, lists and directives of a mapping may nest.
pub const MAX_MAPPING_DEPTH: usize = 128;

/// Compiles a whole mapping; beside the tree come the warnings.
pub(crate) fn compile_root(
    json: &Value,
    paths: PathDialect,
) -> Result<(Node, Vec<MappingFault>), Vec<MappingFault>> {
    let mut compiler = Compiler {
        paths,
        ..Compiler::default()
    };
    let root = match json {
        Value::Object(members) => match with_root_directive(members) {
            Ok(Some(rewritten)) => compiler.node(&rewritten, &Place::ROOT),
            Ok(None) => compiler.node(json, &Place::ROOT),
            Err(fault) => return Err(vec![fault]),
        },
        other => {
            let message = format!("must be an object, it is {}", kind_name(other));
            compiler.fault(&Place::ROOT, message)
        }
    };
    if compiler.faults.is_empty() {
        Ok((root, compiler.warnings))
    } else {
        Err(compiler.faults)
    }
}

/// Where in the mapping the compiler stands.
pub(crate) struct Place<'p> {
    parent: Option<(&'p Place<'p>, &'p str)>,
}

impl<'p> Place<'p> {
    const ROOT: Place<'static> = Place { parent: None };

    pub(crate) const fn inside(&'p self, step: &'p str) -> Place<'p> {
        Place {
            parent: Some((self, step)),
        }
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            None => Ok(()),
            Some((parent, step)) => {
                parent.write_steps(f)?;
                write!(f, "/{step}")
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            None => f.write_str("/"),
            Some(_) => self.write_steps(f),
        }
    }
}

/// What an object is, by its `@` keys.
pub(crate) enum Shape<'v> {
    Plain,
    Directive(&'v str, &'v Value),
    Wrong(String),
}

pub(crate) fn shape(members: &Map<String, Value>) -> Shape<'_> {
    let mut directives = members.iter().filter(|(key, _)| key.starts_with('@'));
    let Some((name, option)) = directives.next() else {
        return Shape::Plain;
    };
    if let Some((second, _)) = directives.next() {
        return Shape::Wrong(format!(
            "has more than one directive: `{name}` and `{second}`"
        ));
    }
    match members
        .keys()
        .find(|key| *key != name && *key != "_metadata")
    {
        Some(other) => Shape::Wrong(format!(
            "mixes the directive `{name}` with the plain member `{other}`"
        )),
        None => Shape::Directive(name, option),
    }
}

/// Whether a value is an object with one directive and nothing else.
pub(crate) fn is_directive(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|members| matches!(shape(members), Shape::Directive(..)))
}

/// Collects faults while it compiles; a faulty node stands in as undefined and is never resolved.
#[derive(Default)]
pub(crate) struct Compiler {
    faults: Vec<MappingFault>,
    warnings: Vec<MappingFault>,
    pub(crate) paths: PathDialect,
    depth: usize,
}

impl Compiler {
    pub(crate) fn fault(&mut self, place: &Place<'_>, message: impl Into<String>) -> Node {
        self.faults.push(MappingFault {
            location: place.to_string(),
            message: message.into(),
        });
        Node::Undefined
    }

    pub(crate) fn warn(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.warnings.push(MappingFault {
            location: place.to_string(),
            message: message.into(),
        });
    }

    /// Compiles any value: raw, container or directive.
    pub(crate) fn node(&mut self, value: &Value, place: &Place<'_>) -> Node {
        if self.depth == MAX_MAPPING_DEPTH {
            let message = format!("nests deeper than {MAX_MAPPING_DEPTH} levels");
            return self.fault(place, message);
        }
        self.depth += 1;
        let node = self.node_at_depth(value, place);
        self.depth -= 1;
        node
    }

    fn node_at_depth(&mut self, value: &Value, place: &Place<'_>) -> Node {
        match value {
            Value::Object(members) => match shape(members) {
                Shape::Plain => self.object(members, place),
                Shape::Directive(name, option) => {
                    self.directive(name, option, &place.inside(name), place)
                }
                Shape::Wrong(message) => self.fault(place, message),
            },
            Value::Array(items) => self.array(items, place),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Node::Constant(value.clone())
            }
        }
    }

    fn object(&mut self, members: &Map<String, Value>, place: &Place<'_>) -> Node {
        let nodes: Vec<(String, Node)> = members
            .iter()
            .map(|(key, value)| (key.clone(), self.node(value, &place.inside(key))))
            .collect();
        if !nodes.iter().all(|(_, node)| node.is_constant()) {
            return Node::Object(nodes);
        }
        let constant = nodes
            .into_iter()
            .filter_map(|(key, node)| Some((key, node.into_constant()?)));
        Node::Constant(Value::Object(constant.collect()))
    }

    fn array(&mut self, items: &[Value], place: &Place<'_>) -> Node {
        let nodes: Vec<Node> = items
            .iter()
            .enumerate()
            .map(|(index, value)| self.node(value, &place.inside(&index.to_string())))
            .collect();
        if !nodes.iter().all(Node::is_constant) {
            return Node::Array(nodes);
        }
        let constant = nodes.into_iter().filter_map(Node::into_constant);
        Node::Constant(Value::Array(constant.collect()))
    }

    /// Compiles a directive. `place` is the option's, `holder` that of the object with the directive in it.
    fn directive(
        &mut self,
        name: &str,
        option: &Value,
        place: &Place<'_>,
        holder: &Place<'_>,
    ) -> Node {
        match name {
            "@path" => match option {
                Value::String(text) => Node::Path(Path::parse(text, self.paths)),
                other => match self.dynamic(other, place) {
                    Some(dynamic) => Node::PathFrom(dynamic),
                    None => Node::Undefined,
                },
            },
            "@template" => match option {
                Value::String(text) => Node::Template(Template::parse(text, self.paths)),
                other => match self.dynamic(other, place) {
                    Some(dynamic) => Node::TemplateFrom(dynamic),
                    None => Node::Undefined,
                },
            },
            "@literal" => self.node(option, place),
            "@excludeWhenNull" => Node::ExcludeWhenNull(Box::new(self.node(option, place))),
            "@arrayPath" => directives::compile_array_path(self, option, place),
            "@if" | "@case" | "@replace" | "@flatten" | "@json" | "@merge" | "@transform" => {
                let Value::Object(options) = option else {
                    return self.wrong_type(option, place, "an object");
                };
                let options = Options {
                    members: options,
                    place,
                };
                match name {
                    "@if" => directives::compile_if(self, &options),
                    "@case" => directives::compile_case(self, &options),
                    "@replace" => directives::compile_replace(self, &options),
                    "@flatten" => directives::compile_flatten(self, &options),
                    "@json" => directives::compile_json(self, &options),
                    "@merge" => directives::compile_merge(self, &options),
                    _ => self.transform(&options),
                }
            }
            "@liquid" => self.liquid(option, place),
            unknown => self.fault(holder, format!("has the unknown directive `{unknown}`")),
        }
    }

    fn liquid(&mut self, option: &Value, place: &Place<'_>) -> Node {
        let Value::String(text) = option else {
            return self.wrong_type(option, place, "a text");
        };
        match Liquid::parse(text) {
            Ok(template) => {
                for warning in template.warnings() {
                    self.warn(place, warning);
                }
                Node::Liquid(Box::new(LiquidAt {
                    location: place.to_string(),
                    template,
                }))
            }
            Err(message) => self.fault(place, message),
        }
    }

    fn dynamic(&mut self, option: &Value, place: &Place<'_>) -> Option<Box<Dynamic>> {
        let text = self.text_or_directive(option, place)?;
        Some(Box::new(Dynamic {
            location: place.to_string(),
            text,
            paths: self.paths,
        }))
    }

    /// Compiles an option that must be a text or a directive.
    pub(crate) fn text_or_directive(&mut self, option: &Value, place: &Place<'_>) -> Option<Node> {
        if option.is_string() || looks_like_directive(option) {
            return Some(self.node(option, place));
        }
        self.wrong_type(option, place, "a text or a directive");
        None
    }

    fn transform(&mut self, options: &Options<'_>) -> Node {
        let apply = self.object_or_directive(options, "apply");
        let mapping = self.object_or_directive(options, "mapping");
        Node::Transform(Box::new(Transform {
            location: options.place.to_string(),
            apply,
            mapping,
        }))
    }

    fn object_or_directive(&mut self, options: &Options<'_>, name: &str) -> Node {
        let place = options.place.inside(name);
        match options.members.get(name) {
            Some(value @ Value::Object(_)) => self.node(value, &place),
            Some(other) => self.wrong_type(other, &place, "an object or a directive"),
            None => self.fault(&place, "is required"),
        }
    }

    pub(crate) fn wrong_type(&mut self, option: &Value, place: &Place<'_>, expected: &str) -> Node {
        self.fault(
            place,
            format!("must be {expected}, it is {}", kind_name(option)),
        )
    }
}

/// Whether an object means to be a directive, so that a second key in it is reported as what it is.
fn looks_like_directive(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|members| !matches!(shape(members), Shape::Plain))
}

/// The options of a directive and their place.
pub(crate) struct Options<'v> {
    pub(crate) members: &'v Map<String, Value>,
    pub(crate) place: &'v Place<'v>,
}

impl<'v> Options<'v> {
    pub(crate) fn get(&self, name: &str) -> Option<&'v Value> {
        self.members.get(name)
    }
}
