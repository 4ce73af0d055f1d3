//! RDS's IAM authentication: the password is a request that would be allowed, signed and never sent (AWS, "IAM database
//! authentication": `rds-db:connect` on the role, `rds_iam` granted to it in PostgreSQL).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use seams::{DatabaseLogin, Secret};

use crate::call::CallFailed;

/// The password for one login, as of now.
///
/// # Errors
/// [`CallFailed`], when host or role are nothing that can be signed.
pub(crate) fn rds_token(
    credentials: &Credentials,
    login: &DatabaseLogin<'_>,
    now: SystemTime,
) -> Result<Secret, CallFailed> {
    let failed = |_| CallFailed::new("token", "it cannot be signed");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(VALID);
    let identity = credentials.clone().into();
    let signing = v4::SigningParams::builder().identity(&identity).region(login.region).name("rds-db");
    let signing = signing.time(now).settings(settings).build();
    let signing = signing.map_err(|_| CallFailed::new("token", "it cannot be signed"))?.into();
    let mut url = format!("{SCHEME}{}:{}/?Action=connect&DBUser={}", login.host, login.port, encoded(login.user));
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]));
    let (instructions, _) = sign(request.map_err(failed)?, &signing).map_err(failed)?.into_parts();
    for (name, value) in instructions.params() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.push_str(&encoded(value));
    }
    Ok(Secret::new(url.split_off(SCHEME.len())))
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

/// What RDS takes at most; a token that is not used at once is of no use.
const VALID: Duration = Duration::from_mins(15);
const SCHEME: &str = "https://";
/// All but what RFC 3986 calls unreserved, as signatures version 4 want it.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-11-27T12:34:56Z
    const AT: Duration = Duration::from_secs(1_795_782_896);
    const HOST: &str = "clinic.c9akciq32.eu-central-1.rds.amazonaws.com";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SESSION: &str = "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJHMEUCIQ+/=/x==";

    fn token(session: Option<&str>, region: &str, port: u16, user: &str) -> String {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, session.map(str::to_owned), None, "test");
        let login = DatabaseLogin { region, host: HOST, port, user };
        rds_token(&credentials, &login, SystemTime::UNIX_EPOCH + AT).unwrap().text().to_owned()
    }

    /// Where it goes, and its parameters in no order: a signature is over them sorted.
    fn parts(token: &str) -> (&str, BTreeSet<&str>) {
        let (place, query) = token.split_once('?').unwrap();
        (place, query.split('&').collect())
    }

    /// Made by `generate_db_auth_token` of botocore 1.44.8, with its clock stopped at [`AT`].
    #[test]
    fn tokens_are_those_that_aws_s_own_tools_make() {
        let of_botocore = |port: u16, user: &str, region: &str, more: &str, signature: &str| {
            format!(
                "{HOST}:{port}/?Action=connect&DBUser={user}&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                 &X-Amz-Credential=AKIDEXAMPLE%2F20261127%2F{region}%2Frds-db%2Faws4_request\
                 &X-Amz-Date=20261127T123456Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host{more}\
                 &X-Amz-Signature={signature}"
            )
        };
        let session = "&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJHMEUCIQ%2B%2F%3D%2Fx%3D%3D";
        let ours = token(None, "eu-west-1", 5432, "affidavit_relay");
        let theirs = "0e6245af7ca7c70caec14f6643fb80ecb24670240bdedd6760dbb37bf1db0120";
        assert_eq!(parts(&ours), parts(&of_botocore(5432, "affidavit_relay", "eu-west-1", "", theirs)));
        let ours = token(Some(SESSION), "eu-central-1", 6432, "jane.doe+relay");
        let theirs = "3be65e6ef4c225dbc17b558390bd12bb6cdc63f5dfb0ac55cde984dbe63b9be0";
        assert_eq!(parts(&ours), parts(&of_botocore(6432, "jane.doe%2Brelay", "eu-central-1", session, theirs)));
    }

    #[test]
    fn what_cannot_be_a_host_makes_no_token_and_no_panic() {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
        let login = DatabaseLogin { region: "eu-west-1", host: "no host", port: 5432, user: "x" };
        let failed = rds_token(&credentials, &login, SystemTime::UNIX_EPOCH + AT).unwrap_err();
        assert!(!format!("{failed} {failed:?}").contains(SECRET));
    }
}
