//! An answer in pieces, for those who want to read along.

/// A piece has at least so many bytes: a few words, so that a frame is worth its envelope.
const LEAST: usize = 24;

/// About how many pieces a long answer has; more would only make frames.
const MOST: usize = 64;

/// Cuts a text behind blanks; the pieces joined are the text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let least = LEAST.max(text.len() / MOST);
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let long_enough = |(at, _): &(usize, char)| *at >= least;
        let blank = rest.char_indices().filter(|(_, c)| c.is_whitespace()).find(long_enough);
        // A text without blanks is cut all the same, at four times the length.
        let forced = rest.char_indices().map(|(at, _)| at).find(|at| *at >= least * 4);
        let end = match (blank, forced) {
            (Some((at, c)), None) => at + c.len_utf8(),
            (Some((at, c)), Some(forced)) => (at + c.len_utf8()).min(forced),
            (None, Some(forced)) => forced,
            (None, None) => rest.len(),
        };
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_answer_comes_in_a_bounded_number_of_pieces() {
        let text = "word ".repeat(20_000);
        let count = pieces(&text).count();
        assert!((10..=MOST + 1).contains(&count), "{count}");
        assert!(pieces("a sentence that is long enough to be told in more than one piece").count() > 1);
        assert_eq!(pieces("").count(), 0);
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in "\\PC{0,400}") {
            prop_assert_eq!(pieces(&text).collect::<String>(), text.clone());
            prop_assert!(pieces(&text).all(|piece| !piece.is_empty()));
        }
    }
}
