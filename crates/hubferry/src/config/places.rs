//! Where things stand: the line of every key in the files that were read, so that a problem names its place.
//!
//! Files are joined before they are understood, and a problem is found long after. So each file keeps its own list of
//! paths and lines, and a problem's path is looked up in the last file that wrote it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser};
use yaml_rust2::scanner::Marker;

/// A line of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// How the paths of a file go on from the root of the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Root {
    /// A configuration.
    Whole,
    /// A mapping, a list of mappings, or mappings under a destination.
    Mappings,
}

/// The files read so far, in their order.
#[derive(Default, Debug)]
pub(crate) struct Places {
    files: Vec<Lines>,
}

#[derive(Debug)]
struct Lines {
    file: PathBuf,
    /// By path, in the form of [`canonical`].
    lines: HashMap<String, usize>,
}

impl Places {
    /// Takes the lines of a file that is known to be YAML or JSON. What cannot be placed is left out.
    pub(crate) fn add(&mut self, file: &Path, text: &str, root: Root) {
        let mut builder = Builder::default();
        // Whatever is wrong with the text has been said by the reader that gives it its meaning.
        Parser::new(text.chars()).load(&mut builder, false).ok();
        let mut lines = HashMap::new();
        if let Some(document) = builder.document {
            match root {
                Root::Whole => index("", &document, &mut lines),
                Root::Mappings => index_mappings(&document, &mut lines),
            }
        }
        self.files.push(Lines {
            file: file.to_owned(),
            lines,
        });
    }

    /// The line of a path, or of the nearest section around it that was written.
    pub(crate) fn find(&self, path: &str) -> Option<Place> {
        let mut path = canonical(path);
        while !path.is_empty() {
            let anywhere = of_any_destination(&path);
            let written = self.files.iter().rev().find_map(|file| {
                let line = file
                    .lines
                    .get(&path)
                    .or_else(|| file.lines.get(anywhere.as_deref()?))?;
                Some(Place {
                    file: file.file.clone(),
                    line: *line,
                })
            });
            if written.is_some() {
                return written;
            }
            path.truncate(path.rfind('.').unwrap_or_default());
        }
        None
    }
}

/// A path with one separator: `destinations[acme].mappings[contacts].fields/phone` and `a.b` alike.
fn canonical(path: &str) -> String {
    let steps: Vec<&str> = path
        .split(['.', '[', ']', '/'])
        .filter(|step| !step.is_empty())
        .collect();
    steps.join(".")
}

/// The same mapping, where its file does not say whose it is.
fn of_any_destination(path: &str) -> Option<String> {
    let (_, below) = path.strip_prefix("destinations.")?.split_once('.')?;
    below
        .starts_with("mappings.")
        .then(|| format!("{ANY}.{below}"))
}

/// The destination of mappings that do not name theirs.
const ANY: &str = "*";

/// A node of the text, as far as places go.
#[derive(Debug)]
struct Node {
    line: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, usize, Node)>),
}

impl Node {
    fn member(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(members) => members
                .iter()
                .find(|(name, _, _)| name == key)
                .map(|(_, _, node)| node),
            Kind::List(_) | Kind::Scalar(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }
}

fn below(path: &str, step: &str) -> String {
    canonical(&format!("{path}.{step}"))
}

fn index(path: &str, node: &Node, lines: &mut HashMap<String, usize>) {
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Map(members) => {
            for (key, line, member) in members {
                let at = below(path, key);
                lines.insert(at.clone(), *line);
                index(&at, member, lines);
            }
        }
        Kind::List(items) => {
            for (number, item) in items.iter().enumerate() {
                let name = item.member("name").and_then(Node::text);
                let at = below(
                    path,
                    &name.map_or_else(|| number.to_string(), ToOwned::to_owned),
                );
                lines.insert(at.clone(), item.line);
                index(&at, item, lines);
            }
        }
    }
}

fn index_mappings(document: &Node, lines: &mut HashMap<String, usize>) {
    if document.member("destinations").is_some() {
        return index("", document, lines);
    }
    let home = |node: &Node| match node.member("destination").and_then(Node::text) {
        Some(name) => below("destinations", name),
        None => ANY.to_owned(),
    };
    if document.member("mappings").is_some() {
        return index(&home(document), document, lines);
    }
    let mappings = match &document.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Map(_) | Kind::Scalar(_) => std::slice::from_ref(document),
    };
    for mapping in mappings {
        if let Some(name) = mapping.member("name").and_then(Node::text) {
            let at = below(&home(mapping), &format!("mappings.{name}"));
            lines.insert(at.clone(), mapping.line);
            index(&at, mapping, lines);
        }
    }
}

/// Builds the nodes of the first document from the parser's events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    document: Option<Node>,
}

struct Open {
    node: Node,
    /// The key of a map that waits for its value.
    key: Option<(String, usize)>,
}

impl Builder {
    fn begin(&mut self, line: usize, kind: Kind) {
        let node = Node { line, kind };
        self.open.push(Open { node, key: None });
    }

    fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.place(open.node);
        }
    }

    fn place(&mut self, node: Node) {
        let Some(around) = self.open.last_mut() else {
            self.document.get_or_insert(node);
            return;
        };
        match (&mut around.node.kind, around.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(members), Some((key, line))) => members.push((key, line, node)),
            (Kind::Map(_), None) => {
                let key = node.text().unwrap_or_default().to_owned();
                around.key = Some((key, node.line));
            }
            (Kind::Scalar(_), _) => {}
        }
    }
}

impl MarkedEventReceiver for Builder {
    fn on_event(&mut self, event: Event, mark: Marker) {
        let line = mark.line();
        match event {
            Event::Scalar(text, ..) => self.place(Node {
                line,
                kind: Kind::Scalar(text),
            }),
            Event::Alias(_) => self.place(Node {
                line,
                kind: Kind::Scalar(String::new()),
            }),
            Event::SequenceStart(..) => self.begin(line, Kind::List(Vec::new())),
            Event::MappingStart(..) => self.begin(line, Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart
            | Event::DocumentEnd => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[(&str, &str, Root)]) -> Places {
        let mut places = Places::default();
        for (file, text, root) in files {
            places.add(Path::new(file), text, *root);
        }
        places
    }

    fn found(places: &Places, path: &str) -> String {
        places
            .find(path)
            .map_or_else(|| "nowhere".to_owned(), |place| place.to_string())
    }

    const MAIN: &str = "\
kafka:
  brokers: a
destinations:
  - hubspot: { auth: { token: t } }
    name: acme
    mappings:
      - name: contacts
        fields:
          a.b: 1
          phone:
            '@path': x
";

    #[test]
    fn keys_items_and_members_have_their_lines() {
        let places = places(&[("c.yaml", MAIN, Root::Whole)]);
        for (path, line) in [
            ("kafka", "c.yaml:1"),
            ("kafka.brokers", "c.yaml:2"),
            ("kafka.topics", "c.yaml:1"),
            ("destinations[acme]", "c.yaml:4"),
            ("destinations[acme].hubspot.auth.token", "c.yaml:4"),
            (
                "destinations[acme].mappings[contacts].fields.a.b",
                "c.yaml:9",
            ),
            (
                "destinations[acme].mappings[contacts].fields/phone/@path",
                "c.yaml:11",
            ),
            ("destinations[acme].mappings[contacts].trigger", "c.yaml:7"),
            ("redis.url", "nowhere"),
            ("", "nowhere"),
        ] {
            assert_eq!(found(&places, path), line, "{path}");
        }
    }

    #[test]
    fn json_has_lines_too() {
        let text = "{\n  \"kafka\": {\n    \"brokers\": 1\n  }\n}\n";
        let places = places(&[("c.json", text, Root::Whole)]);
        assert_eq!(found(&places, "kafka.brokers"), "c.json:3");
    }

    #[test]
    fn the_last_file_that_wrote_a_key_is_named() {
        let later =
            "destinations:\n- name: acme\n  mappings:\n  - name: contacts\n    trigger: x\n";
        let places = places(&[
            ("a.yaml", MAIN, Root::Whole),
            ("b.yaml", later, Root::Whole),
        ]);
        let trigger = "destinations[acme].mappings[contacts].trigger";
        assert_eq!(found(&places, trigger), "b.yaml:5");
        assert_eq!(found(&places, "kafka.brokers"), "a.yaml:2");
    }

    #[test]
    fn a_mapping_in_a_file_of_its_own_is_found_with_and_without_its_destination() {
        let places = places(&[
            ("one.yaml", "name: one\ntrigger: x\n", Root::Mappings),
            (
                "two.yaml",
                "- { name: two, destination: acme,\n    trigger: x }\n",
                Root::Mappings,
            ),
            (
                "three.yaml",
                "destination: acme\nmappings:\n- name: three\n  trigger: x\n",
                Root::Mappings,
            ),
        ]);
        for (name, line) in [
            ("one", "one.yaml:2"),
            ("two", "two.yaml:2"),
            ("three", "three.yaml:4"),
        ] {
            let path = format!("destinations[acme].mappings[{name}].trigger");
            assert_eq!(found(&places, &path), line);
        }
        let elsewhere = "destinations[other].mappings[two].trigger";
        assert_eq!(found(&places, elsewhere), "nowhere");
    }
}
