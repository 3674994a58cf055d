//! Questions that were given up, but whose replies may still come: a Cat of 1.9 sends everything to the
//! user's newest connection.
use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

/// Questions that are remembered, of all users together; one more forgets the oldest.
const MAX_QUESTIONS: usize = 1024;

/// Bytes of a question that are remembered.
const MAX_QUESTION_BYTES: usize = 4096;

/// Time for which the reply to a question that was given up may still come.
const MAX_DELAY: Duration = Duration::from_mins(10);

/// Characters of a question that a Cat up to 1.5 keeps; it reports the beginning as the question.
/// Source: `MAX_TEXT_INPUT` in `cat/looking_glass/stray_cat.py`.
const CAT_MAX_INPUT: usize = 2000;

#[derive(Debug, Default)]
pub(super) struct GivenUp(VecDeque<AbandonedQuestion>);

#[derive(Debug)]
struct AbandonedQuestion {
    at: Instant,
    user: Arc<str>,
    text: Box<str>,
    /// `text` is only the beginning.
    is_long: bool,
}

impl GivenUp {
    pub(super) fn add(&mut self, user: &Arc<str>, text: &str) {
        self.forget();
        if self.0.len() == MAX_QUESTIONS {
            self.0.pop_front();
        }
        let kept = text.get(..text.floor_char_boundary(MAX_QUESTION_BYTES)).unwrap_or_default();
        let is_long = kept.len() < text.len();
        let question = AbandonedQuestion {
            at: Instant::now(),
            user: user.clone(),
            text: kept.into(),
            is_long,
        };
        self.0.push_back(question);
    }

    /// Whether a reply to `input` answers a question that `user` gave up.
    pub(super) fn has(&mut self, user: &str, input: &str) -> bool {
        self.forget();
        let mut of_user = self.0.iter().filter(|question| &*question.user == user);
        of_user.any(|question| {
            is_of(input, &question.text) || question.is_long && input.starts_with(&*question.text)
        })
    }

    fn forget(&mut self) {
        while self.0.front().is_some_and(|question| question.at.elapsed() >= MAX_DELAY) {
            self.0.pop_front();
        }
    }
}

/// Whether a reply to `input` answers the question `asked`.
pub(super) fn is_of(input: &str, asked: &str) -> bool {
    let is_cut = || asked.chars().nth(CAT_MAX_INPUT).is_some() && asked.starts_with(input);
    input == asked || !input.is_empty() && is_cut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_question_may_have_been_cut_by_the_cat() {
        let asked = "word ".repeat(500);
        let cut = asked.get(..1999).unwrap();
        assert!(is_of(cut, &asked));
        assert!(!is_of("wort", &asked) && !is_of("", &asked) && !is_of("wo", "word"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_its_users_own_and_forgotten_in_time() {
        let (mut given_up, ann) = (GivenUp::default(), Arc::from("ann"));
        let long = "è".repeat(MAX_QUESTION_BYTES);
        given_up.add(&ann, "one");
        given_up.add(&ann, &long);
        assert!(given_up.has("ann", "one") && given_up.has("ann", &long));
        assert!(!given_up.has("bob", "one") && !given_up.has("ann", "two"));
        for _ in 1..MAX_QUESTIONS {
            given_up.add(&ann, "more");
        }
        assert!(!given_up.has("ann", "one") && given_up.has("ann", "more"));
        tokio::time::advance(MAX_DELAY).await;
        assert!(!given_up.has("ann", "more") && given_up.0.is_empty());
    }
}
