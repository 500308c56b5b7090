//! Which uses of tools have to be approved.

use super::Call;

/// Which uses of tools have to be approved, besides those of tools that want it themselves: `*` means every tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Those of tools with these names.
    Ask(Vec<String>),
    /// The same, where nobody can be asked: they are refused.
    Refuse(Vec<String>),
}

impl Default for Gate {
    fn default() -> Self {
        Self::Ask(Vec::new())
    }
}

impl Gate {
    /// Whether a use has to be approved.
    pub(super) fn stops(&self, call: &Call) -> bool {
        let (Self::Ask(names) | Self::Refuse(names)) = self;
        call.guarded || names.iter().any(|name| *name == call.tool || name == "*")
    }
}
