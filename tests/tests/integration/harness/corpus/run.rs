//! Runs the steps of a case, at the database itself or at a product in front of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::client::{Client, Login};
use super::step::{Connect, Does, Step};
use crate::harness::raw::Message;

/// Where the steps of a case are run.
pub(crate) struct Place {
    /// As whoever does what the case is about.
    pub(crate) client: Login,
    /// As somebody who may see what is protected.
    pub(crate) revealer: Login,
    /// With every right, at the target itself.
    pub(crate) superuser: Login,
    /// How long the product may be behind.
    pub(crate) staleness: Duration,
}

/// Sessions that are kept for the next case, by database.
#[derive(Default)]
pub(crate) struct Kept(HashMap<String, Client>);

/// Everything that was answered, step by step; what is said when a session opens belongs to the step that opens it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) steps: Vec<Vec<Message>>,
}

impl Seen {
    /// All of it.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Message> {
        self.steps.iter().flatten()
    }
}

/// Runs them.
pub(crate) fn run(steps: &[Step], place: &Place, kept: &mut Kept) -> Seen {
    let mut seen = Seen::default();
    let mut sessions: BTreeMap<&str, Client> = BTreeMap::new();
    let mut superuser: Option<Client> = None;
    let mut refused: BTreeSet<&str> = BTreeSet::new();
    let mut plain = true;
    for step in steps {
        let mut answers = Vec::new();
        match &step.does {
            Does::Connect(connect) => {
                plain = false;
                let login = if connect.revealer { &place.revealer } else { &place.client };
                let opened = Client::log_in(login, &connect.startup, &mut answers);
                // What a revealer is shown is theirs to see.
                if connect.revealer {
                    answers.clear();
                }
                if let Some(client) = opened {
                    sessions.insert(&step.session, client);
                }
            }
            Does::Superuser(sql) => {
                let client = superuser.get_or_insert_with(|| log_in(&place.superuser));
                let said = client.sql(sql);
                let error = said.iter().find(|message| message.tag == 'E').map(Message::fields);
                assert!(error.is_none(), "{sql}: {error:?}");
            }
            Does::Settle => std::thread::sleep(place.staleness),
            does => {
                if !sessions.contains_key(step.session.as_str())
                    && !refused.contains(step.session.as_str())
                    && connects(steps, &step.session).is_none()
                {
                    let client = kept.0.remove(&place.client.database).filter(|_| sessions.is_empty());
                    match client.or_else(|| Client::log_in(&place.client, &BTreeMap::new(), &mut answers)) {
                        Some(client) => {
                            sessions.insert(&step.session, client);
                        }
                        None => {
                            refused.insert(&step.session);
                        }
                    }
                }
                if let Some(client) = sessions.get_mut(step.session.as_str()) {
                    let said = ask(client, does, &mut superuser, place);
                    if !reveals(steps, &step.session) {
                        answers.extend(said);
                    }
                }
            }
        }
        seen.steps.push(answers);
    }
    if let (true, 1, Some((_, mut client))) = (plain, sessions.len(), sessions.pop_first())
        && client.reset()
    {
        kept.0.insert(place.client.database.clone(), client);
    }
    seen
}

fn ask(client: &mut Client, does: &Does, superuser: &mut Option<Client>, place: &Place) -> Vec<Message> {
    if client.over {
        return Vec::new();
    }
    match does {
        Does::Sql(sql) => client.sql(sql),
        Does::Extended(extended) => client.extended(extended),
        Does::Pipeline(statements) => client.pipeline(statements),
        Does::CopyIn(copy) => client.copy_in(copy),
        Does::Bytes(hex) => client.bytes(hex),
        Does::Call(call) => {
            let superuser = superuser.get_or_insert_with(|| log_in(&place.superuser));
            let said = superuser.sql(&format!("SELECT '{}'::regprocedure::oid", call.function));
            let oid = said.iter().find(|message| message.tag == 'D').and_then(|row| values(row).into_iter().next());
            let oid = String::from_utf8(oid.flatten().unwrap()).unwrap();
            client.call(oid.parse().unwrap(), call)
        }
        Does::Connect(_) | Does::Superuser(_) | Does::Settle => Vec::new(),
    }
}

fn log_in(login: &Login) -> Client {
    let mut said = Vec::new();
    let client = Client::log_in(login, &BTreeMap::new(), &mut said);
    client.unwrap_or_else(|| panic!("no session: {:?}", said.first().map(Message::fields)))
}

fn connects<'a>(steps: &'a [Step], session: &str) -> Option<&'a Connect> {
    steps.iter().find_map(|step| match &step.does {
        Does::Connect(connect) if step.session == session => Some(connect),
        _ => None,
    })
}

fn reveals(steps: &[Step], session: &str) -> bool {
    connects(steps, session).is_some_and(|connect| connect.revealer)
}

/// The values of a `DataRow`.
pub(crate) fn values(row: &Message) -> Vec<Option<Vec<u8>>> {
    let mut rest = row.body.get(2..).unwrap_or_default();
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let size = usize::try_from(length).unwrap_or(0).min(after.len());
        values.push((length >= 0).then(|| after[..size].to_vec()));
        rest = &after[size..];
    }
    values
}
