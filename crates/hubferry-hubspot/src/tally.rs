//! What an accepted answer says about each input: every one ends in exactly one state.

use crate::call::StepId;
use crate::inputs::Inputs;
use crate::outcome::Outcome;

/// The state of one input so far.
#[derive(Clone)]
enum State {
    Open,
    Confirmed(Outcome),
    Failed(Outcome),
    /// The answer shows it both as done and as failed.
    Contradicted,
}

/// The states of all inputs.
pub(crate) struct Tally(Vec<State>);

impl Tally {
    pub(crate) fn new(inputs: usize) -> Self {
        Self(vec![State::Open; inputs])
    }

    pub(crate) fn fail(&mut self, at: usize, outcome: Outcome) {
        self.0[at] = match self.0[at] {
            State::Confirmed(_) | State::Contradicted => State::Contradicted,
            State::Open | State::Failed(_) => State::Failed(outcome),
        };
    }

    /// Takes a result for an input; false when the input has one already.
    pub(crate) fn confirm(&mut self, at: usize, outcome: Outcome) -> bool {
        match self.0[at] {
            State::Open => self.0[at] = State::Confirmed(outcome),
            State::Failed(_) => self.0[at] = State::Contradicted,
            State::Confirmed(_) | State::Contradicted => return false,
        }
        true
    }

    /// The inputs nothing was said about.
    pub(crate) fn open(&self) -> Vec<usize> {
        let open = |&at: &usize| matches!(self.0[at], State::Open);
        (0..self.0.len()).filter(open).collect()
    }

    /// The outcomes, one per step; what is still open was not accounted for.
    pub(crate) fn settled(self, inputs: &Inputs<'_>) -> Vec<(StepId, Outcome)> {
        let outcome = |state| match state {
            State::Confirmed(outcome) | State::Failed(outcome) => outcome,
            State::Open | State::Contradicted => Outcome::Unaccounted,
        };
        (0..)
            .zip(self.0)
            .map(|(at, state)| (inputs.step(at), outcome(state)))
            .collect()
    }
}
