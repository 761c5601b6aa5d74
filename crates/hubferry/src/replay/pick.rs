//! Which letters a replay is about: open, readable, not worn out, and not waiting for a letter that is left out.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hubferry_stream::{FailedMapping, Letter, LetterError, Sample, Selection};

use crate::dlq::shelf::{Ends, Journals, Shelf};
use crate::exit::Failure;
use crate::output;
use crate::scribe::NO_MAPPING;
use crate::words::{counted, size};

/// A letter that goes through again.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) letter: Letter,
    /// The failed mappings that are done again.
    pub(super) mappings: Vec<String>,
    /// Its other failed mappings, which stay as they are.
    pub(super) others: Vec<FailedMapping>,
}

impl Chosen {
    /// Whether a mapping is done again. Of an event that reached no mapping, all are.
    pub(super) fn wants(&self, mapping: &str) -> bool {
        let mut mappings = self.mappings.iter();
        mappings.any(|wanted| wanted == mapping || wanted == NO_MAPPING)
    }
}

/// What letters are taken from, and which.
pub(super) struct Wish<'w> {
    pub(super) selection: &'w Selection,
    /// The source; `None` takes those of every source.
    pub(super) source: Option<&'w str>,
    /// Later letters are not meant: where the topic ended when the plan was made.
    pub(super) ends: Option<&'w [(i32, i64)]>,
    /// Mappings of the configuration.
    pub(super) mappings: &'w [String],
    pub(super) max_replays: u32,
    /// Letters are taken however often they were replayed.
    pub(super) worn_out_too: bool,
    pub(super) ignore_blocker: bool,
}

/// What was picked, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// By source partition, offset and element.
    pub(super) letters: Vec<Chosen>,
    pub(super) ends: Vec<(i32, i64)>,
    /// Letters that the selection leaves out.
    pub(super) others: Vec<Letter>,
    /// Deliveries that match and need nothing any more.
    pub(super) resolved: u64,
    /// Letters that were replayed too often.
    pub(super) exhausted: u64,
    /// Letters that wait for one that is not among them.
    pub(super) blocked: u64,
    /// Deliveries of mappings that the configuration does not have any more.
    pub(super) gone: BTreeMap<String, u64>,
}

impl Picked {
    pub(super) fn deliveries(&self) -> u64 {
        let mappings = self.letters.iter().map(|chosen| chosen.mappings.len());
        size(mappings.sum())
    }

    /// One line for each thing that was left out.
    pub(super) fn tell_left_out(&self, max_replays: u32) {
        if self.exhausted > 0 {
            let letters = counted(self.exhausted, "letter");
            output::tell(&format!(
                "{letters} left out: replayed {max_replays} times already (--replays {max_replays}.. takes them)"
            ));
        }
        if self.blocked > 0 {
            let letters = counted(self.blocked, "letter");
            output::tell(&format!(
                "{letters} left out: waiting for an earlier letter of the same person that is not selected (--ignore-blocker takes them)"
            ));
        }
        for (mapping, count) in &self.gone {
            output::tell(&format!(
                "mapping {mapping} is not enabled in the configuration: left out {}",
                counted(*count, "time")
            ));
        }
    }
}

/// Looks at all letters and picks.
///
/// # Errors
///
/// The letters cannot be read, or one of them is no letter that this version understands.
pub(super) async fn pick(
    shelf: &Shelf,
    journals: &Journals,
    wish: &Wish<'_>,
) -> Result<Picked, Failure> {
    let mut picking = Picking::new(journals, wish);
    let mut wrong = None;
    let ends = shelf
        .look(
            &mut |letter| picking.look(letter),
            &mut |error: LetterError| {
                wrong.get_or_insert(error);
            },
        )
        .await?;
    if let Some(error) = wrong {
        return Err(Failure::Data(error.to_string()));
    }
    Ok(picking.done(&ends))
}

struct Picking<'p> {
    journals: &'p Journals,
    wish: &'p Wish<'p>,
    sample: Option<Sample<Chosen>>,
    picked: Picked,
    /// The ids of open letters: what a blocked one may wait for.
    open: HashSet<String>,
}

impl<'p> Picking<'p> {
    fn new(journals: &'p Journals, wish: &'p Wish<'p>) -> Self {
        Self {
            journals,
            wish,
            sample: wish.selection.sample().map(Sample::new),
            picked: Picked::default(),
            open: HashSet::new(),
        }
    }

    fn look(&mut self, letter: Letter) {
        let origin = &letter.letter.origin;
        let elsewhere = self
            .wish
            .source
            .is_some_and(|source| source != origin.topic.as_str());
        if elsewhere || self.is_later(&letter) {
            return;
        }
        let chosen = self.wish.selection.chosen(&letter);
        let matched = chosen.len();
        let still = self
            .journals
            .open(&letter, letter.letter.failed.iter().collect());
        if !still.is_empty() {
            self.open.insert(letter.id());
        }
        let open = self.journals.open(&letter, chosen);
        self.picked.resolved += size(matched - open.len());
        let known: Vec<String> = open
            .iter()
            .map(|failed| failed.mapping.clone())
            .filter(|mapping| self.is_known(mapping))
            .collect();
        for failed in &open {
            if !self.is_known(&failed.mapping) {
                *self.picked.gone.entry(failed.mapping.clone()).or_default() += 1;
            }
        }
        let replays = letter
            .letter
            .replay
            .as_ref()
            .map_or(0, |replay| replay.count);
        let worn_out = replays >= self.wish.max_replays && !self.wish.worn_out_too;
        if known.is_empty() || worn_out || self.is_full() {
            self.picked.exhausted += u64::from(worn_out && !known.is_empty());
            if !still.is_empty() {
                self.picked.others.push(letter);
            }
            return;
        }
        let others = still
            .into_iter()
            .filter(|failed| !known.contains(&failed.mapping))
            .cloned()
            .collect();
        let id = letter.id();
        let chosen = Chosen {
            letter,
            mappings: known,
            others,
        };
        match &mut self.sample {
            Some(sample) => sample.offer(&id, chosen),
            None => self.picked.letters.push(chosen),
        }
    }

    fn is_known(&self, mapping: &str) -> bool {
        mapping == NO_MAPPING || self.wish.mappings.iter().any(|known| known == mapping)
    }

    fn is_full(&self) -> bool {
        let limit = self.wish.selection.limit();
        self.sample.is_none() && limit.is_some_and(|limit| self.picked.letters.len() >= limit)
    }

    /// Whether it was parked after the plan was made.
    fn is_later(&self, letter: &Letter) -> bool {
        let Some(ends) = self.wish.ends else {
            return false;
        };
        let (partition, offset) = (letter.at.partition.get(), letter.at.offset.get());
        !ends
            .iter()
            .any(|(of, end)| *of == partition && offset < *end)
    }

    fn done(self, ends: &Ends) -> Picked {
        let mut picked = self.picked;
        picked
            .letters
            .extend(self.sample.into_iter().flat_map(Sample::into_items));
        picked.ends = ends
            .iter()
            .map(|(partition, end)| (partition.get(), end.get()))
            .collect();
        if !self.wish.ignore_blocker {
            leave_blocked(&mut picked, &self.open);
        }
        picked
            .letters
            .sort_by(|one, other| place(one).cmp(&place(other)));
        picked
    }
}

fn place(chosen: &Chosen) -> (&hubferry_stream::Place, Option<u32>) {
    (&chosen.letter.letter.origin, chosen.letter.letter.element)
}

/// Leaves out what waits for an open letter that is left out itself, and what waits for that.
fn leave_blocked(picked: &mut Picked, open: &HashSet<String>) {
    loop {
        let ids: BTreeSet<String> = picked.letters.iter().map(|one| one.letter.id()).collect();
        let is_blocked = |chosen: &Chosen| {
            let blocker = chosen.letter.letter.blocked_by.as_ref();
            blocker.is_some_and(|blocker| open.contains(blocker) && !ids.contains(blocker))
        };
        let (blocked, free): (Vec<Chosen>, Vec<Chosen>) = std::mem::take(&mut picked.letters)
            .into_iter()
            .partition(is_blocked);
        picked.letters = free;
        if blocked.is_empty() {
            return;
        }
        picked.blocked += size(blocked.len());
        picked
            .others
            .extend(blocked.into_iter().map(|chosen| chosen.letter));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::dlq::filters;

    /// A line of a `--dead-letters` file.
    fn line(offset: i64, mappings: &[&str], more: &[(&str, serde_json::Value)]) -> String {
        let failed: Vec<_> = mappings
            .iter()
            .map(|mapping| serde_json::json!({"mapping": mapping, "stage": "record", "class": "input", "code": "not_unique"}))
            .collect();
        let mut line = serde_json::json!({
            "messageId": format!("m{offset}"), "event": {"type": "identify", "userId": "u"}, "dlq.version": 1,
            "origin.topic": "t", "origin.partition": 0, "origin.offset": offset, "message.id": format!("m{offset}"),
            "mappings.failed": failed,
        });
        for (name, value) in more {
            line[*name] = value.clone();
        }
        line.to_string()
    }

    fn id_of(offset: i64) -> String {
        let letter = Letter::read_line(&line(offset, &["a/b"], &[]), 0).unwrap();
        letter.id()
    }

    async fn picked(
        lines: &[String],
        selection: &str,
        ignore_blocker: bool,
    ) -> Result<Picked, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.ndjson");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let selection = filters::written(selection, 0).unwrap();
        let mappings = ["a/b".to_owned(), "a/c".to_owned()];
        let wish = Wish {
            selection: &selection,
            source: None,
            ends: None,
            mappings: &mappings,
            max_replays: 5,
            worn_out_too: false,
            ignore_blocker,
        };
        pick(
            &Shelf::File(Path::new(&path).to_owned()),
            &Journals::none(),
            &wish,
        )
        .await
    }

    fn offsets(picked: &Picked) -> Vec<i64> {
        let letters = picked.letters.iter();
        letters
            .map(|one| one.letter.letter.origin.offset.get())
            .collect()
    }

    #[tokio::test]
    async fn a_follower_waits_for_its_blocker_and_for_the_blockers_blocker() {
        let lines = [
            line(9, &["a/b"], &[("blocked_by", id_of(5).into())]),
            line(5, &["a/b"], &[("blocked_by", id_of(2).into())]),
            line(2, &["a/b"], &[]),
            line(7, &["a/b"], &[("blocked_by", id_of(100).into())]),
        ];
        for (selection, ignore, expected, blocked) in [
            // In the order of the source; what waits for a letter that is not open waits for nothing.
            ("", false, &[2, 5, 7, 9][..], 0),
            ("message-id=m5,m9", false, &[], 2),
            ("message-id=m2,m9", false, &[2], 1),
            ("message-id=m5,m9", true, &[5, 9], 0),
        ] {
            let picked = picked(&lines, selection, ignore).await.unwrap();
            assert_eq!(
                (offsets(&picked).as_slice(), picked.blocked),
                (expected, blocked),
                "{selection}"
            );
        }
    }

    #[tokio::test]
    async fn worn_out_letters_and_mappings_that_are_gone_are_left_out_and_counted() {
        let lines = [
            line(1, &["a/b", "a/gone"], &[]),
            line(2, &["a/gone"], &[]),
            line(3, &["a/b"], &[("replay.count", 5.into())]),
            line(4, &["a/b", "a/c"], &[("replay.count", 4.into())]),
        ];
        let all = picked(&lines, "", false).await.unwrap();
        assert_eq!(offsets(&all), [1, 4]);
        assert_eq!(
            (all.deliveries(), all.exhausted, all.gone["a/gone"]),
            (3, 1, 2)
        );
        let other: Vec<&str> = all.letters[0]
            .others
            .iter()
            .map(|one| one.mapping.as_str())
            .collect();
        assert_eq!(other, ["a/gone"]);
        let one = picked(&lines, "mapping=a/c", false).await.unwrap();
        assert_eq!((offsets(&one), one.deliveries()), (vec![4], 1));
        assert_eq!(one.others.len(), 3, "what is not selected is kept");
    }

    #[tokio::test]
    async fn a_letter_of_a_later_version_ends_it_with_one_line() {
        let lines = [line(1, &["a/b"], &[("dlq.version", 9.into())])];
        let refused = picked(&lines, "", false).await.unwrap_err();
        assert!(matches!(refused, Failure::Data(_)));
        assert_eq!(
            refused.to_string(),
            "the dead letter dead-letters/0@0 has version 9, and this build reads versions up to 1; update hubferry"
        );
    }
}
