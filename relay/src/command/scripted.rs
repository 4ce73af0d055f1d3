//! A login without a browser, for demonstrations and tests: fills in the form that the small issuer inside `local`
//! shows. It works there alone, for that issuer asks for nothing but a name; and only with a name that the form offers.

use reqwest::{Client, Url, header};

use super::error::CommandError;
use super::loopback::Answer;
use super::oidc::{is_loopback, read};

/// Logs in as `name` and gives what the issuer sends to `callback`.
pub(super) async fn log_in(
    http: &Client,
    issuer: &Url,
    authorization: &Url,
    name: &str,
    callback: &str,
) -> Result<Answer, CommandError> {
    if !is_loopback(issuer) || !is_loopback(authorization) {
        return Err(refused("it works with the small issuer inside `local` alone; leave it out and log in yourself"));
    }
    let what = "the issuer's login page";
    let page = http.get(authorization.clone()).send().await.map_err(CommandError::http(what))?;
    let page = String::from_utf8(read(what, page).await?).map_err(|_| CommandError::exchange(what, "expected text"))?;
    let form = Form::read(&page).ok_or_else(|| refused("the issuer shows no form that asks for a name alone"))?;
    if !form.names.iter().any(|offered| offered == name) {
        return Err(refused(&format!("expected one of {}", form.names.join(", "))));
    }
    let action = authorization.join(&form.action).ok().filter(|url| url.origin() == authorization.origin());
    let action = action.ok_or_else(|| CommandError::exchange(what, "its form leads elsewhere"))?;
    let mut fields = form.hidden;
    fields.push(("login".to_owned(), name.to_owned()));
    let answer = http.post(action).form(&fields).send().await.map_err(CommandError::http(what))?;
    let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
    let answer = to.starts_with(&format!("{callback}?")).then(|| Answer::read(to)).flatten();
    answer.ok_or_else(|| CommandError::exchange(what, "it did not lead back to this program"))
}

/// The form of the login page, as that issuer writes it.
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
    names: Vec<String>,
}

impl Form {
    fn read(page: &str) -> Option<Self> {
        let form = page.split_once("<form method=\"post\" action=\"")?.1.split_once("</form>")?.0;
        let (action, inputs) = form.split_once("\">")?;
        let hidden = inputs.split("<input type=\"hidden\" name=\"").skip(1).map(|input| {
            let (name, rest) = input.split_once("\" value=\"")?;
            Some((unescape(name), unescape(rest.split_once('"')?.0)))
        });
        let names = inputs.split("<input type=\"radio\" name=\"login\" value=\"").skip(1);
        let names: Vec<String> =
            names.filter_map(|input| input.split_once('"')).map(|(name, _)| unescape(name)).collect();
        (!names.is_empty()).then_some(())?;
        Some(Self { action: unescape(action), hidden: hidden.collect::<Option<_>>()?, names })
    }
}

/// The character references that `askama` writes.
fn unescape(text: &str) -> String {
    let text = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'");
    text.replace("&#38;", "&")
}

fn refused(problem: &str) -> CommandError {
    CommandError::Argument { argument: "--login", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_the_issuer_writes_it_and_another_is_none() {
        let page = "<form method=\"post\" action=\"/authorize\">\n\
            <input type=\"hidden\" name=\"state\" value=\"a&#38;#34;&#34;\">\n\
            <label><input type=\"radio\" name=\"login\" value=\"bob\" required> Bob</label></form>";
        let form = Form::read(page).unwrap();
        assert_eq!((form.action.as_str(), form.names.as_slice()), ("/authorize", ["bob".to_owned()].as_slice()));
        assert_eq!(form.hidden, [("state".to_owned(), "a&#34;\"".to_owned())]);
        assert!(Form::read("<form method=\"post\" action=\"/login\"><input type=\"password\"></form>").is_none());
        assert!(Form::read("").is_none());
    }
}
