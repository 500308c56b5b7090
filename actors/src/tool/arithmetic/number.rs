//! Numbers in words: `twenty-five`, `one hundred and five`, `a thousand`.

/// Joins number words into digits: `one hundred and five` is 105.
pub(super) fn number_words(words: &[String]) -> Vec<String> {
    let mut joined = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match number_at(words, at) {
            Some((number, taken)) => {
                joined.push(number.to_string());
                at += taken;
            }
            None => {
                joined.push(word.clone());
                at += 1;
            }
        }
    }
    joined
}

fn number_at(words: &[String], start: usize) -> Option<(u64, usize)> {
    let (mut total, mut group, mut at) = (0_u64, 0_u64, start);
    let mut last = u64::MAX;
    while let Some(word) = words.get(at) {
        match (small(word), scale(word)) {
            (Some(number), _) if number < last && (last == u64::MAX || last >= 20) => {
                group += number;
                last = number;
            }
            (_, Some(100)) if at > start => {
                group = group.checked_mul(100)?;
                last = 100;
            }
            // `a hundred`
            _ if word == "a" && at == start && words.get(at + 1).is_some_and(|next| scale(next).is_some()) => group = 1,
            (_, Some(scale)) if at > start => {
                total = total.checked_add(group.checked_mul(scale)?)?;
                group = 0;
                last = scale;
            }
            _ if word == "and"
                && last >= 100
                && at > start
                && words.get(at + 1).is_some_and(|w| small(w).is_some()) => {}
            _ => break,
        }
        at += 1;
    }
    (at > start).then_some((total + group, at - start))
}

#[rustfmt::skip]
fn small(word: &str) -> Option<u64> {
    const ONES: [&str; 20] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let ones = ONES.iter().zip(0..).find(|(name, _)| **name == word).map(|(_, number)| number);
    ones.or_else(|| TENS.iter().zip(2..).find(|(name, _)| **name == word).map(|(_, number)| 10 * number))
}

fn scale(word: &str) -> Option<u64> {
    match word {
        "hundred" => Some(100),
        "thousand" => Some(1_000),
        "million" => Some(1_000_000),
        "billion" => Some(1_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_words_are_joined() {
        let cases = [
            ("twenty five", "25"),
            ("one hundred and five", "105"),
            ("two thousand three hundred and one", "2301"),
            ("a hundred", "100"),
            ("one two", "1 2"),
            ("twenty thirty", "20 30"),
            ("a house and five cats", "a house and 5 cats"),
            ("hundred", "hundred"),
        ];
        for (words, digits) in cases {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(number_words(&words).join(" "), digits);
        }
    }
}
