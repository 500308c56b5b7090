//! The durable form of a message's parts: what is said stands there once.
//!
//! An agent's last step says what its answer says. Such a step is written without its content, which is most of what
//! the record of an answer would take.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::{Part, Step, StepKind};

/// What is written of a part. The order of the variants is the format; the first three are those of [`Part`].
#[derive(Serialize)]
enum Written<'a> {
    Text(&'a str),
    Data(&'a str),
    Step(&'a Step),
    Conclusion(Step),
}

/// The same as it is read.
#[derive(Deserialize)]
enum Read {
    Text(String),
    Data(String),
    Step(Step),
    /// A step with the content of the first text.
    Conclusion(Step),
}

/// Writes parts. Where people or other programs read them, they are as they are.
pub(super) fn serialize<S: Serializer>(parts: &[Part], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return parts.serialize(serializer);
    }
    let said = parts.iter().find_map(text);
    serializer.collect_seq(parts.iter().map(|part| match part {
        Part::Text(text) => Written::Text(text),
        Part::Data(json) => Written::Data(json),
        Part::Step(step) if concludes(step, said) => {
            Written::Conclusion(Step { content: String::new(), call: step.call.clone(), ..*step })
        }
        Part::Step(step) => Written::Step(step),
    }))
}

/// Reads them back.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Part>, D::Error> {
    if deserializer.is_human_readable() {
        return Vec::deserialize(deserializer);
    }
    let read = Vec::<Read>::deserialize(deserializer)?;
    let said = read.iter().find_map(|part| if let Read::Text(text) = part { Some(text.clone()) } else { None });
    let content = said.unwrap_or_default();
    let part = |part| match part {
        Read::Text(text) => Part::Text(text),
        Read::Data(json) => Part::Data(json),
        Read::Step(step) => Part::Step(step),
        Read::Conclusion(step) => Part::Step(Step { content: content.clone(), ..step }),
    };
    Ok(read.into_iter().map(part).collect())
}

fn text(part: &Part) -> Option<&str> {
    if let Part::Text(text) = part { Some(text) } else { None }
}

fn concludes(step: &Step, said: Option<&str>) -> bool {
    step.kind == StepKind::Answer && !step.content.is_empty() && said == Some(step.content.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Parts(#[serde(with = "super")] Vec<Part>);

    fn step(kind: StepKind, content: &str) -> Part {
        Part::Step(Step::now(kind, content, 0.5))
    }

    #[test]
    fn what_is_said_twice_is_written_once() {
        let answer = "The answer is 56. ".repeat(20);
        let text = Part::Text(answer.clone());
        let kinds = [
            vec![step(StepKind::Planning, "plan"), step(StepKind::Answer, &answer), text.clone()],
            vec![step(StepKind::Answer, "something else"), text.clone(), Part::Data("{}".into())],
            vec![step(StepKind::Planning, &answer), text],
            vec![step(StepKind::Answer, &answer)],
            Vec::new(),
        ];
        for (parts, times) in kinds.into_iter().map(Parts).zip([1, 1, 2, 1, 0]) {
            let bytes = postcard::to_allocvec(&parts).unwrap();
            assert_eq!(postcard::from_bytes::<Parts>(&bytes).unwrap(), parts);
            let found = bytes.windows(answer.len()).filter(|window| *window == answer.as_bytes()).count();
            assert_eq!(found, times, "{parts:?}");
            let json = serde_json::to_string(&parts).unwrap();
            assert_eq!(serde_json::from_str::<Parts>(&json).unwrap(), parts);
        }
    }

    #[test]
    fn parts_written_before_read_as_they_were() {
        let parts = vec![step(StepKind::Answer, "so"), Part::Text("so".into()), Part::Data("{}".into())];
        let before = postcard::to_allocvec(&parts).unwrap();
        assert_eq!(postcard::from_bytes::<Parts>(&before).unwrap(), Parts(parts));
    }
}
