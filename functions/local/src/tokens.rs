//! `local token`: a token for somebody in `users.toml`.

use crate::error::Error;
use crate::folder::Folder;
use crate::mint::Mint;
use crate::oidc::now;
use crate::settings::{Endpoints, Settings};
use crate::users::Users;

/// A token for the user of that name, good for `minutes`. It names the issuer of the running `local`, or where none
/// runs the configured one, which must then have a fixed port.
///
/// # Errors
/// [`Error`], naming the file or argument.
pub fn token(folder: &Folder, name: &str, minutes: u64) -> Result<String, Error> {
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(Error::Argument {
            argument: "--minutes",
            problem: format!("{minutes}, expected 1 to {MINUTES_MAX}"),
        });
    }
    let users = Users::read(&folder.users())?;
    let user = users.get(name).ok_or_else(|| {
        let known: Vec<&str> = users.names().collect();
        Error::Argument { argument: "NAME", problem: format!("{name} is not among {}", known.join(", ")) }
    })?;
    let mint = read_mint(folder)?;
    let token = mint.token(&issuer(folder)?, &users, user, now(), minutes.saturating_mul(60));
    token.map_err(Error::of("token"))
}

pub(crate) fn read_mint(folder: &Folder) -> Result<Mint, Error> {
    let path = folder.issuer_key();
    let pem = std::fs::read_to_string(&path).map_err(|source| Error::read(&path, source))?;
    Mint::from_pem(&pem).map_err(|error| Error::content(&path, error))
}

fn issuer(folder: &Folder) -> Result<String, Error> {
    if let Some(endpoints) = Endpoints::read(folder)? {
        return Ok(endpoints.issuer);
    }
    let settings = Settings::read(folder)?;
    if settings.issuer.port() == 0 {
        let problem = "issuer has port 0, so its URL is known only while `local up` runs; start it, or set a port";
        return Err(Error::content(&folder.settings(), problem));
    }
    Ok(format!("http://{}", settings.issuer))
}

/// A day: a token is a password.
const MINUTES_MAX: u64 = 24 * 60;
