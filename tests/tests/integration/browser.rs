//! The pages in a real browser: an approver decides on a held statement; an auditor reads a bundle's report and replay.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::approvals::{Pending, said_by};
use crate::harness::{Database, Relay, Said, have_python, python};
use crate::skip_without;

#[test]
fn an_approver_decides_in_a_browser_and_an_auditor_reads_the_bundle() {
    skip_without!(have_python("playwright") && chromium().is_some(), "playwright and Chromium");
    let mut relay = Relay::fresh();
    let sql = "UPDATE billing.invoices SET status = '<script>alert(1)</script>' WHERE id = 51";
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", &relay.connection("alice"), "--command", sql]);
    let client = psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pending = Pending::about(&relay, "= 51");
    let link = format!("{}/approvals/{}", relay.endpoint("console"), pending.details.request);
    let said = browse(DECIDE, &[&link]);
    assert!(said.contains("NOT HERS: Somebody else must decide"), "{said}");
    assert!(said.contains("SHOWN: UPDATE billing.invoices SET status = '<script>alert(1)</script>'"), "{said}");
    assert!(said.contains("DECIDED: Approved"), "{said}");
    assert!(said_by(client).ok().contains("UPDATE 1"));

    relay.psql("alice", &["SELECT name, ssn FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
    relay.stop();
    let bundle = relay.bundle("browsed");
    let replay = std::fs::read_dir(bundle.join("replay")).unwrap().map(|file| file.unwrap().path());
    let mut pages = vec![bundle.join("report.html")];
    pages.extend(replay);
    let pages: Vec<&str> = pages.iter().map(|page| page.to_str().unwrap()).collect();
    let said = browse(READ, &pages);
    assert!(said.contains("164.312(b)") && said.contains("looked at it in a browser"), "{said}");
    assert_eq!(Database::shared().leak_in(&said), None);
}

/// Runs a script with a browser in it; a page that reports an error, or asks another host for anything, fails it.
fn browse(script: &str, arguments: &[&str]) -> String {
    let chromium = chromium().unwrap();
    let script = format!("{BROWSER}\n{script}");
    Said::by(python(&script, chromium).args(arguments)).ok()
}

fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

const BROWSER: &str = r#"
import contextlib, pathlib, sys
from playwright.sync_api import sync_playwright

@contextlib.contextmanager
def a_page(asked):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        page, complaints = browser.new_page(), []
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append("a dialog: " + dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        try:
            yield page
        except Exception:
            print("STOOD AT:", page.url, page.locator("body").inner_text(), complaints)
            raise
        assert not complaints, complaints
        browser.close()
"#;

/// Alice may look and not decide; Bob decides, with a login of its own for it.
const DECIDE: &str = r#"
def log_in(page, name):
    page.locator(f"input[value={name}]").check()
    page.get_by_role("button", name="Log in").click()

asked, link = [], sys.argv[2]
with a_page(asked) as page:
    page.goto(link)
    log_in(page, "alice")
    page.wait_for_url(link)
    assert page.get_by_role("button", name="Approve").count() == 0
    print("NOT HERS:", page.locator("p.warning").inner_text().split(". ")[-1])
with a_page(asked) as page:
    page.goto(link)
    log_in(page, "bob")
    page.wait_for_url(link)
    print("SHOWN:", page.locator("pre.statement").inner_text())
    page.get_by_label("Why you decide so").fill("looked at it in a browser")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/authorize?*")
    log_in(page, "bob")
    page.wait_for_url(link)
    print("DECIDED:", page.locator("p.standing").inner_text())
hosts = {url.split("/")[2].split(":")[0] for url in asked}
assert hosts <= {"127.0.0.1", "localhost"}, hosts
"#;

/// Pages of a bundle are whole by themselves.
const READ: &str = r#"
asked = []
with a_page(asked) as page:
    for path in sys.argv[2:]:
        page.goto(pathlib.Path(path).as_uri())
        print(page.locator("body").inner_text())
assert all(url.startswith(("file:", "data:")) for url in asked), asked
"#;
