//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side.
//!
//! Sources: RFC 5802 (SCRAM), RFC 7677 (with SHA-256), RFC 5929 (`tls-server-end-point`), PostgreSQL
//! documentation, "SASL Authentication". PostgreSQL takes the user from the startup packet and ignores the name in
//! the exchange.
//!
//! The way through: [`Client::for_request`] → [`first`](Client::first) → [`challenge`](Client::challenge) →
//! [`answer`](Challenge::answer) → [`verify`](Verifier::verify). The login is only proved mutual once `verify`
//! succeeded; `AuthenticationOk` alone says nothing about the server.

use super::backend::Authentication;
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// An exchange that has not begun.
#[derive(Debug, Clone)]
pub struct Client {
    /// Attribute `n`, ready for the wire.
    user: String,
    /// Base64 of the random bytes: printable and without a comma, as RFC 5802 asks.
    nonce: String,
    binding: ChannelBinding,
}

/// How the exchange is bound to the TLS channel it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelBinding {
    /// There is no TLS, or no hash of the server's certificate.
    Unsupported,
    /// We could, but the server did not offer `SCRAM-SHA-256-PLUS`; a server that did will notice that somebody
    /// took the offer away.
    NotOffered,
    /// `tls-server-end-point`: hash of the server's certificate (RFC 5929, section 4.1).
    ServerEndPoint(Vec<u8>),
}

impl Client {
    /// Chooses the mechanism for what the server asks: with channel binding where it is offered and
    /// `server_end_point`, the hash of the server's certificate, is given.
    ///
    /// `nonce`: 18 fresh random bytes (144 bits; RFC 5802 asks for unpredictable).
    ///
    /// # Errors
    /// [`ScramError::MethodNotSupported`] for anything but SASL, MD5 passwords among it;
    /// [`ScramError::NoCommonMechanism`].
    pub fn for_request(
        request: &Authentication<'_>,
        nonce: [u8; 18],
        server_end_point: Option<&[u8]>,
    ) -> Result<Self, ScramError> {
        let Authentication::Sasl { mechanisms } = request else {
            return Err(ScramError::MethodNotSupported(method(request)));
        };
        let binding = match server_end_point {
            Some(hash) if mechanisms.contains(&PLUS) => ChannelBinding::ServerEndPoint(hash.to_vec()),
            Some(_) => ChannelBinding::NotOffered,
            None => ChannelBinding::Unsupported,
        };
        let client = Self::new(nonce, binding);
        if mechanisms.contains(&client.mechanism()) { Ok(client) } else { Err(ScramError::NoCommonMechanism) }
    }

    /// An exchange with that binding.
    #[must_use]
    pub fn new(nonce: [u8; 18], binding: ChannelBinding) -> Self {
        Self { user: String::new(), nonce: BASE64.encode(nonce), binding }
    }

    /// Name of the mechanism, for `SASLInitialResponse`.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        if matches!(self.binding, ChannelBinding::ServerEndPoint(_)) { PLUS } else { PLAIN }
    }

    /// The client's first message, for `SASLInitialResponse`.
    #[must_use]
    pub fn first(&self) -> Vec<u8> {
        format!("{}{}", self.binding.gs2_header(), self.first_bare()).into_bytes()
    }

    /// Reads the server's first message, from `AuthenticationSASLContinue`.
    ///
    /// # Errors
    /// [`ScramError::Malformed`]; [`ScramError::ForeignNonce`]; [`ScramError::Iterations`] outside 4,096 to 1,000,000.
    pub fn challenge(self, server_first: &[u8]) -> Result<Challenge, ScramError> {
        let text = str::from_utf8(server_first).map_err(|_| ScramError::Malformed("UTF-8"))?;
        let [nonce, salt, iterations] = attributes(text, ['r', 's', 'i'])?;
        let ours = nonce.strip_prefix(self.nonce.as_str()).ok_or(ScramError::ForeignNonce)?;
        if ours.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScramError::ForeignNonce);
        }
        let salt = BASE64.decode(salt).map_err(|_| ScramError::Malformed("a salt in base64"))?;
        if salt.is_empty() || salt.len() > SALT_MAX {
            return Err(ScramError::Malformed("a salt of 1 to 1,024 bytes"));
        }
        let iterations: u32 = iterations.parse().map_err(|_| ScramError::Malformed("an iteration count"))?;
        let count = NonZeroU32::new(iterations)
            .filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&count.get()))
            .ok_or(ScramError::Iterations(iterations))?;
        let bound = BASE64.encode(self.binding.input());
        let without_proof = format!("c={bound},r={nonce}");
        let signed = format!("{},{text},{without_proof}", self.first_bare());
        Ok(Challenge { salt, iterations: count, signed, without_proof })
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }
}

/// An exchange that waits for the client's proof.
#[derive(Debug, Clone)]
pub struct Challenge {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    /// `AuthMessage` of RFC 5802.
    signed: String,
    without_proof: String,
}

impl Challenge {
    /// Keys from the password: about 0.65 ms at the usual 4,096 iterations, on the caller's thread. They may be kept
    /// for as long as the password may, and used whenever they [fit](SaltedKeys::fit).
    #[must_use]
    pub fn derive(&self, password: &str) -> SaltedKeys {
        SaltedKeys::derive(password, &self.salt, self.iterations)
    }

    /// The client's last message, for `SASLResponse`, and what must verify the server's.
    ///
    /// # Errors
    /// [`ScramError::OtherSalt`] if the keys are not of this salt and iteration count.
    pub fn answer(&self, keys: &SaltedKeys) -> Result<(Vec<u8>, Verifier), ScramError> {
        if !keys.fit(self) {
            return Err(ScramError::OtherSalt);
        }
        let stored_key = digest::digest(&digest::SHA256, keys.client_key.as_slice());
        let mut proof = sign(stored_key.as_ref(), &self.signed);
        proof.iter_mut().zip(keys.client_key.iter()).for_each(|(proof, key)| *proof ^= key);
        let answer = format!("{},p={}", self.without_proof, BASE64.encode(proof.as_slice()));
        Ok((answer.into_bytes(), Verifier { expected: sign(keys.server_key.as_slice(), &self.signed) }))
    }
}

/// What a password becomes with a salt: `ClientKey` and `ServerKey` of RFC 5802. As good as the password to this
/// server until its salt changes; wiped when dropped, never shown.
#[derive(Clone)]
pub struct SaltedKeys {
    salt: Vec<u8>,
    iterations: u32,
    client_key: Zeroizing<[u8; 32]>,
    server_key: Zeroizing<[u8; 32]>,
}

impl SaltedKeys {
    /// Derives the keys (`SaltedPassword` is PBKDF2 with HMAC-SHA-256).
    #[must_use]
    pub fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        // A password that SASLprep refuses is used as it is: so do PostgreSQL's server and libpq.
        let prepared = Zeroizing::new(stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password)).into_owned());
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), salted.as_mut_slice());
        Self {
            salt: salt.to_vec(),
            iterations: iterations.get(),
            client_key: sign(salted.as_slice(), "Client Key"),
            server_key: sign(salted.as_slice(), "Server Key"),
        }
    }

    /// True if these keys answer that challenge: same salt, same iteration count.
    #[must_use]
    pub fn fit(&self, challenge: &Challenge) -> bool {
        self.salt == challenge.salt && self.iterations == challenge.iterations.get()
    }
}

impl fmt::Debug for SaltedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SaltedKeys ({} iterations)", self.iterations)
    }
}

/// Knows what only a server that knows the password can send.
#[derive(Clone)]
#[must_use = "a server that was not verified may be anybody"]
pub struct Verifier {
    expected: Zeroizing<[u8; 32]>,
}

impl Verifier {
    /// Checks the server's last message, from `AuthenticationSASLFinal`.
    ///
    /// # Errors
    /// [`ScramError::Refused`] if the server says that we failed; [`ScramError::ServerSignature`] if it failed;
    /// [`ScramError::Malformed`].
    pub fn verify(self, server_final: &[u8]) -> Result<(), ScramError> {
        let text = str::from_utf8(server_final).map_err(|_| ScramError::Malformed("UTF-8"))?;
        if text.starts_with("e=") {
            return Err(ScramError::Refused);
        }
        let [signature] = attributes(text, ['v'])?;
        let signature = BASE64.decode(signature).map_err(|_| ScramError::Malformed("a signature in base64"))?;
        constant_time::verify_slices_are_equal(&signature, self.expected.as_slice())
            .map_err(|_| ScramError::ServerSignature)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// Why a login by SCRAM failed. Holds nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The server asks for something else; MD5 passwords are among what is not supported, for MD5 is broken.
    #[error("the server asks for {0}, which is not supported: set up SCRAM-SHA-256 for this login")]
    MethodNotSupported(&'static str),
    /// The server offers neither SCRAM-SHA-256 nor SCRAM-SHA-256-PLUS, or only the latter where there is no TLS.
    #[error("the server offers no SASL mechanism that is supported here")]
    NoCommonMechanism,
    /// A message of the server is not what RFC 5802 says.
    #[error("SCRAM: expected {0} in the server's message")]
    Malformed(&'static str),
    /// The server's nonce does not continue ours: an old exchange is being replayed.
    #[error("SCRAM: the server's nonce does not continue the client's")]
    ForeignNonce,
    /// An iteration count below 4,096 (RFC 7677, section 4) or so high that it would only burn time.
    #[error("SCRAM: {0} iterations are outside 4,096 to 1,000,000")]
    Iterations(u32),
    /// The keys belong to another salt or iteration count.
    #[error("SCRAM: the keys are of another salt")]
    OtherSalt,
    /// The server refused our proof: wrong password, as a rule.
    #[error("SCRAM: the server refused the login")]
    Refused,
    /// The server does not know the password: it is not the one it claims to be.
    #[error("SCRAM: the server's signature is wrong, it does not know the password")]
    ServerSignature,
}

impl ChannelBinding {
    fn gs2_header(&self) -> &'static str {
        match self {
            Self::Unsupported => "n,,",
            Self::NotOffered => "y,,",
            Self::ServerEndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    /// `cbind-input` of RFC 5802.
    fn input(&self) -> Vec<u8> {
        let mut input = self.gs2_header().as_bytes().to_vec();
        if let Self::ServerEndPoint(hash) = self {
            input.extend_from_slice(hash);
        }
        input
    }
}

/// Values of exactly these attributes in this order. An extension, mandatory (`m=`) or not, is refused: there is none.
fn attributes<const N: usize>(text: &str, names: [char; N]) -> Result<[&str; N], ScramError> {
    const EXPECTED: ScramError = ScramError::Malformed("the attributes of RFC 5802 and no others");
    let mut parts = text.split(',');
    let mut values = [""; N];
    for (value, name) in values.iter_mut().zip(names) {
        let part = parts.next().ok_or(EXPECTED)?;
        *value = part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).ok_or(EXPECTED)?;
    }
    if parts.next().is_some() { Err(EXPECTED) } else { Ok(values) }
}

/// HMAC-SHA-256.
fn sign(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

fn method(request: &Authentication<'_>) -> &'static str {
    match request {
        Authentication::CleartextPassword => "a password in clear",
        Authentication::Md5Password { .. } => "an MD5 password",
        Authentication::KerberosV5 => "Kerberos V5",
        Authentication::Gss | Authentication::GssContinue(_) => "GSSAPI",
        Authentication::Sspi => "SSPI",
        Authentication::Ok | Authentication::Sasl { .. } => "nothing",
        Authentication::SaslContinue(_) | Authentication::SaslFinal(_) => "SASL out of order",
    }
}

const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// RFC 7677, section 4: at least 4,096; PostgreSQL's default.
const ITERATIONS_MIN: u32 = 4_096;

/// About 0.2 s of one core; a server that asks for more is attacking us.
const ITERATIONS_MAX: u32 = 1_000_000;

/// PostgreSQL uses 16.
const SALT_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3: user "user", password "pencil".
    fn rfc_7677() -> Client {
        Client {
            user: "user".to_owned(),
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
            binding: ChannelBinding::Unsupported,
        }
    }

    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_as_printed() {
        let client = rfc_7677();
        assert_eq!(client.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = client.challenge(SERVER_FIRST).unwrap();
        let (answer, verifier) = challenge.answer(&challenge.derive("pencil")).unwrap();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(verifier.clone().verify(SERVER_FINAL), Ok(()));
        assert_eq!(verifier.verify(b"e=invalid-proof"), Err(ScramError::Refused));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let challenge = rfc_7677().challenge(SERVER_FIRST).unwrap();
        let (_, verifier) = challenge.answer(&challenge.derive("pencils")).unwrap();
        assert_eq!(verifier.clone().verify(SERVER_FINAL), Err(ScramError::ServerSignature));
        assert_eq!(verifier.verify(b"v="), Err(ScramError::ServerSignature));
    }

    #[test]
    fn a_replayed_nonce_a_cheap_hash_and_an_extension_are_refused() {
        let refuse = |text: &str| rfc_7677().challenge(text.as_bytes()).unwrap_err();
        assert_eq!(refuse("r=other,s=QUJD,i=4096"), ScramError::ForeignNonce);
        assert_eq!(refuse("r=rOprNGfwEbeRWgbNEkqO,s=QUJD,i=4096"), ScramError::ForeignNonce);
        assert_eq!(refuse("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=1"), ScramError::Iterations(1));
        assert_eq!(refuse("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=4000000000"), ScramError::Iterations(4_000_000_000));
        assert!(matches!(refuse("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=4096"), ScramError::Malformed(_)));
        assert!(matches!(refuse("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=4096,x=1"), ScramError::Malformed(_)));
    }

    #[test]
    fn cached_keys_answer_only_the_salt_they_are_of() {
        let keys = SaltedKeys::derive("pencil", b"other salt", NonZeroU32::new(4096).unwrap());
        let challenge = rfc_7677().challenge(SERVER_FIRST).unwrap();
        assert!(matches!(challenge.answer(&keys), Err(ScramError::OtherSalt)));
    }

    #[test]
    fn channel_binding_is_taken_when_offered_and_its_absence_is_told() {
        let offer = |mechanisms: &[&'static str], hash| {
            let request = Authentication::Sasl { mechanisms: mechanisms.to_vec() };
            Client::for_request(&request, [0; 18], hash)
        };
        let plus = offer(&[PLUS, PLAIN], Some(b"hash".as_slice())).unwrap();
        assert_eq!(plus.mechanism(), PLUS);
        assert!(plus.first().starts_with(b"p=tls-server-end-point,,n=,r="));
        assert!(offer(&[PLAIN], Some(b"hash")).unwrap().first().starts_with(b"y,,"));
        assert!(offer(&[PLUS, PLAIN], None).unwrap().first().starts_with(b"n,,"));
        assert_eq!(offer(&[PLUS], None).unwrap_err(), ScramError::NoCommonMechanism);
        let md5 = Authentication::Md5Password { salt: [0; 4] };
        let refused = Client::for_request(&md5, [0; 18], None).unwrap_err();
        assert_eq!(refused, ScramError::MethodNotSupported("an MD5 password"));
    }
}
