//! Other relays behind the same address.

use serde::Deserialize;

use super::Authorities;

/// Where a `CancelRequest` goes that is for none of this relay's sessions: behind a load balancer it reaches any relay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// `host:port` each. A name that resolves to several addresses means all of them; this relay's own may be among them.
    pub addresses: Vec<Peer>,
    /// CA certificates in PEM, against which the peers' own are verified, with the host's name.
    pub ca: Authorities,
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Peer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl TryFrom<String> for Peer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("{text}: expected host:port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{text}: no such port"))?;
        match rustls::pki_types::ServerName::try_from(host.as_str()) {
            Ok(_) => Ok(Self { host, port }),
            Err(_) => Err(format!("{text}: expected the name or address of a host")),
        }
    }
}

impl Peers {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.addresses.is_empty() || self.addresses.len() > PEERS_MAX {
            return Err(format!("expected 1 to {PEERS_MAX} peers"));
        }
        Ok(())
    }
}

/// Each costs a connection for every request that is for nobody here.
const PEERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_host_and_a_port() {
        let of = |text: &str| Peer::try_from(text.to_owned());
        assert_eq!(of("relay.internal:5432"), Ok(Peer { host: "relay.internal".to_owned(), port: 5432 }));
        assert_eq!(of("[::1]:5432"), Ok(Peer { host: "::1".to_owned(), port: 5432 }));
        for bad in ["relay.internal", "relay.internal:0", "relay.internal:65536", ":5432", "a b:5432"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
