//! Who acts, as an issuer's claims tell it.

/// Kind of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person.
    User,
    /// A service account or a CI job: it acts for nobody but itself.
    Service,
    /// A software agent that acts for somebody else.
    Agent,
}

/// A verified identity. Equality covers every field, so it can be part of a cache key (rule 1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Person, service or agent.
    pub kind: Kind,
    /// The issuer (`iss`), which alone gives `subject` its meaning.
    pub issuer: String,
    /// The subject (`sub`), unique within the issuer; for an agent, the `sub` of its `act`. 1 to 255 characters.
    pub subject: String,
    /// For people to read, never to decide by; at most 128 characters, without control characters.
    pub name: String,
    /// Groups as claimed, sorted, each once. An agent has those its own `act` object claims and never those of
    /// whom it acts for.
    pub groups: Vec<String>,
    /// The token's `exp`: seconds since 1970-01-01T00:00:00Z. A session ends there.
    pub expires_at: u64,
    /// For an agent: whom it acts for. The chain ends in a user or a service.
    pub acts_for: Option<Box<Principal>>,
}
