//! Text or binary.

/// How a value is written: PostgreSQL's format codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Code 0: the type's text form.
    #[default]
    Text,
    /// Code 1: the type's binary form.
    Binary,
}

impl Format {
    /// The format of a code, `None` if there is no such code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Binary),
            _ => None,
        }
    }

    /// The code of the format.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }

    /// The format of element `index` by the rule of `Bind`: no code means text for all, one code stands for all,
    /// else each has its own.
    #[must_use]
    pub fn of(formats: &[Self], index: usize) -> Self {
        match formats {
            [] => Self::Text,
            [one] => *one,
            each => each.get(index).copied().unwrap_or_default(),
        }
    }
}
