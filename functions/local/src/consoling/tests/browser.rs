//! Enough of a browser: cookies, redirects one by one, forms, `Origin`.

use std::collections::BTreeMap;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};

pub(super) struct Browser {
    client: Client,
    /// By host and port.
    pub(super) cookies: BTreeMap<(String, String), String>,
}

/// What came back, read.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) url: Url,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

impl Browser {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), cookies: BTreeMap::new() }
    }

    pub(super) async fn get(&mut self, url: &str) -> Page {
        let url = Url::parse(url).unwrap();
        self.send(&url, self.client.get(url.clone())).await
    }

    pub(super) async fn submit(&mut self, url: &str, origin: &str, form: &[(String, String)]) -> Page {
        let url = Url::parse(url).unwrap();
        self.send(&url, self.client.post(url.clone()).header("origin", origin).form(form)).await
    }

    /// Follows redirects and refreshes from there to the first page that is neither.
    pub(super) async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(next) = page.next() else { return page };
            page = self.get(next.as_str()).await;
        }
        panic!("redirected for ever");
    }

    /// Logs in as `name` on the issuer's page, and goes where that leads.
    pub(super) async fn log_in(&mut self, page: Page, name: &str) -> Page {
        let page = self.answer_login(page, name).await;
        self.follow(page).await
    }

    /// Logs in as `name` on the issuer's page; gives the redirect that answers.
    pub(super) async fn answer_login(&mut self, page: Page, name: &str) -> Page {
        assert!(page.text.contains("Who are you?"), "{}", page.text);
        let mut form = page.fields();
        form.push(("login".to_owned(), name.to_owned()));
        let origin = page.url.origin().ascii_serialization();
        self.submit(&format!("{origin}/authorize"), &origin, &form).await
    }

    async fn send(&mut self, url: &Url, request: RequestBuilder) -> Page {
        let host = url.origin().ascii_serialization();
        let ours = self.cookies.iter().filter(|((known, _), _)| *known == host);
        let cookies: Vec<String> = ours.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let answer = request.send().await.unwrap();
        self.keep(&host, &answer);
        let (status, headers) = (answer.status(), answer.headers().clone());
        Page { status, url: url.clone(), headers, text: answer.text().await.unwrap() }
    }

    fn keep(&mut self, host: &str, answer: &Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let (name, rest) = cookie.split_once('=').unwrap();
            let place = (host.to_owned(), name.to_owned());
            if cookie.contains("Max-Age=0;") {
                self.cookies.remove(&place);
            } else {
                self.cookies.insert(place, rest.split(';').next().unwrap().to_owned());
            }
        }
    }
}

impl Page {
    /// Where a redirect or a refresh leads.
    pub(super) fn next(&self) -> Option<Url> {
        let text = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let to = text("location").or_else(|| text("refresh")?.strip_prefix("0; url=").map(str::to_owned))?;
        Some(self.url.join(&to).unwrap())
    }

    /// The hidden fields of its form.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input type=\"hidden\" name=\"").skip(1);
        let mut fields = Vec::new();
        for input in inputs {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            fields.push((name.to_owned(), unescaped(rest.split_once('"').unwrap().0)));
        }
        fields
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">").replace("&#39;", "'")
}
