//! What a row of the table says.

/// Pairs of (canonical word, word of `/v1`).
pub type Words = &'static [(&'static str, &'static str)];

/// One thing done to a body on its way in, before the canonical operation reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum In {
    /// The same value under another name.
    Rename { v1: &'static str, canonical: &'static str },
    /// Words of a field, or of each element of it. Of several canonical words for one, the first is meant.
    Words { canonical: &'static str, words: Words },
    /// A length in seconds from now, where a time is wanted.
    Seconds { v1: &'static str, canonical: &'static str },
    /// What the canonical operation requires and `/v1` leaves out.
    Default { canonical: &'static str, value: Filled },
    /// A name, where the id of what a list calls so is wanted.
    Find { v1: &'static str, canonical: &'static str, list: &'static str, words: Words },
    /// One of two words, where it is asked whether it is the first.
    Is { v1: &'static str, canonical: &'static str, words: [&'static str; 2] },
    /// It belongs into the path.
    Path { v1: &'static str, parameter: &'static str },
}

/// Where a default comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// `["*"]`: everything that the caller may do.
    Everything,
    /// What stands before the `@` of the body's address.
    NameOfAddress,
    /// That word with a few random characters, for what must be unique.
    Unique(&'static str),
    Text(&'static str),
    True,
}

/// One thing done to an object on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    Rename {
        canonical: &'static str,
        v1: &'static str,
    },
    Hide(&'static str),
    Words {
        field: &'static str,
        words: Words,
    },
    /// The fields of an inner object, beside its own.
    Lift(&'static str),
    /// A field of an inner object, under another name.
    Pick {
        object: &'static str,
        field: &'static str,
        v1: &'static str,
    },
}

/// Where a parameter of the canonical path comes from, if not from the one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Another parameter of the path.
    Parameter(&'static str),
    Fixed(&'static str),
    /// A parameter whose words are others here.
    Word {
        parameter: &'static str,
        words: Words,
    },
    /// The id of what that list calls like the parameter.
    Name {
        parameter: &'static str,
        list: &'static str,
    },
}

impl Source {
    /// Whether it takes its value from that parameter.
    pub fn is_from(&self, name: &str) -> bool {
        match self {
            Self::Parameter(parameter) | Self::Word { parameter, .. } | Self::Name { parameter, .. } => {
                *parameter == name
            }
            Self::Fixed(_) => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    /// Whole, up to a limit, where no page is asked for.
    List,
    /// A PUT of the object as that operation shows it: what is unchanged is left out, the rest is a PATCH.
    Replace {
        current: &'static str,
    },
    /// Passed on as it comes: WebSockets, streams, redirects.
    Stream,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub group: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    /// `operationId` of the canonical operation.
    pub operation: &'static str,
    pub summary: &'static str,
    pub kind: Kind,
    /// Instead of the canonical one, on success.
    pub status: Option<u16>,
    pub sends: &'static [In],
    pub answers: &'static [Out],
    pub parameters: &'static [(&'static str, Source)],
    /// (canonical, `/v1`) names of parameters of the query.
    pub query: Words,
    /// A field of the answer that has all of a canonical list.
    pub also: Option<(&'static str, &'static str)>,
}

impl Row {
    /// The words of a field of its objects, which a parameter of that name has, too.
    pub fn words(&self, field: &str) -> Words {
        let words = |step: &Out| match *step {
            Out::Words { field: of, words } if of == field => Some(words),
            _ => None,
        };
        self.answers.iter().find_map(words).unwrap_or_default()
    }

    pub const fn new(
        group: &'static str, method: &'static str, path: &'static str, operation: &'static str, summary: &'static str,
    ) -> Self {
        Self {
            group,
            method,
            path,
            operation,
            summary,
            kind: Kind::Object,
            status: None,
            sends: &[],
            answers: &[],
            parameters: &[],
            query: &[],
            also: None,
        }
    }

    pub const fn list(self) -> Self {
        Self { kind: Kind::List, ..self }
    }

    pub const fn stream(self) -> Self {
        Self { kind: Kind::Stream, ..self }
    }

    pub const fn replaces(self, current: &'static str) -> Self {
        Self { kind: Kind::Replace { current }, ..self }
    }

    pub const fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    pub const fn sends(self, sends: &'static [In]) -> Self {
        Self { sends, ..self }
    }

    pub const fn answers(self, answers: &'static [Out]) -> Self {
        Self { answers, ..self }
    }

    pub const fn parameters(self, parameters: &'static [(&'static str, Source)]) -> Self {
        Self { parameters, ..self }
    }

    pub const fn query(self, query: Words) -> Self {
        Self { query, ..self }
    }

    pub const fn also(self, field: &'static str, list: &'static str) -> Self {
        Self { also: Some((field, list)), ..self }
    }

    /// Id of this operation in the document of `/v1`.
    pub fn id(&self) -> String {
        let place: String = self
            .path
            .trim_start_matches("/v1/")
            .chars()
            .filter(|c| !matches!(c, '{' | '}'))
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        format!("{}_{place}", self.method.to_lowercase())
    }
}

/// The parameter of a path that chooses the organization, as the header X-Org-Slug does.
pub const ORGANIZATION: &str = "orgId";
