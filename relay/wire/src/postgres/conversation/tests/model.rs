//! A tiny server that knows what it answers, a client that sends anything at any time, and between them a
//! [`Conversation`], which must come to the server's own view whatever the order of events.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_reply_is_attributed_as_the_server_meant_it(script in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut world = World::new(script);
        while !world.is_over() {
            world.step();
        }
        world.finish();
    }
}

struct World {
    script: std::vec::IntoIter<u8>,
    conversation: Conversation,
    server: Server,
    next_ticket: u64,
    last_sent: Option<OpKind>,
    awaited: BTreeSet<u64>,
    ended: BTreeSet<u64>,
    skipped: BTreeSet<u64>,
}

impl World {
    fn new(script: Vec<u8>) -> Self {
        Self {
            script: script.into_iter(),
            conversation: Conversation::new(),
            server: Server::default(),
            next_ticket: 1,
            last_sent: None,
            awaited: BTreeSet::new(),
            ended: BTreeSet::new(),
            skipped: BTreeSet::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.script.len() == 0 || self.server.gone
    }

    fn step(&mut self) {
        match self.choice(5) {
            0 | 1 => self.client_sends(),
            2 => self.server_works(),
            _ => self.relay_reads(),
        }
    }

    fn client_sends(&mut self) {
        use OpKind::*;
        let kinds = if self.conversation.copying_in().is_some() {
            [
                CopyData, CopyData, CopyData, CopyDone, CopyFail, Sync, Flush, CopyDone, CopyData, CopyDone, CopyData,
                Sync,
            ]
        } else {
            [
                Query,
                Parse,
                Bind,
                DescribeStatement,
                DescribePortal,
                Execute,
                Close,
                FunctionCall,
                Sync,
                Flush,
                CopyData,
                CopyDone,
            ]
        };
        let kind = kinds[usize::from(self.choice(12))];
        if kind == OpKind::Sync && self.last_sent == Some(OpKind::CopyData) {
            // Whether a COPY fails before or behind a Sync that stands between its data, nobody can know.
            return;
        }
        if kind != OpKind::Flush {
            self.last_sent = Some(kind);
        }
        let op = FrontendOp { kind, ticket: self.next_ticket };
        self.next_ticket += 1;
        match self.conversation.on_frontend(op).unwrap() {
            Sent::Awaited => assert!(self.awaited.insert(op.ticket)),
            Sent::Skipped => assert!(self.skipped.insert(op.ticket)),
            Sent::Silent => {}
        }
        self.server.inbox.push_back(op);
    }

    fn server_works(&mut self) {
        let script = &mut self.script;
        self.server.work(&mut |below| script.next().unwrap_or(0) % below);
    }

    fn relay_reads(&mut self) {
        let Some((message, ticket, statement)) = self.server.outbox.pop_front() else { return };
        let reply = self.conversation.on_backend(message).unwrap();
        assert_eq!((reply.ticket, reply.statement), (ticket, statement), "{message:?}");
        if reply.ends {
            assert!(self.ended.insert(reply.ticket.unwrap()), "ended twice");
        }
        for ticket in reply.skipped {
            assert!(self.skipped.insert(ticket), "skipped twice");
        }
    }

    /// The client ends its COPY and its series, everything is worked off, and every request came to one end.
    fn finish(&mut self) {
        while !self.server.gone && (!self.server.inbox.is_empty() || !self.server.outbox.is_empty()) {
            self.server_works();
            self.relay_reads();
        }
        while !self.server.outbox.is_empty() {
            self.relay_reads();
        }
        assert!(self.ended.is_disjoint(&self.skipped));
        assert_eq!(self.ended, self.server.ended);
        if !self.server.gone {
            let perhaps: BTreeSet<u64> = self.conversation.perhaps_answered.iter().copied().collect();
            let known: BTreeSet<u64> = self.skipped.union(&perhaps).copied().collect();
            let waiting: BTreeSet<u64> = self.conversation.pending.iter().map(|pending| pending.ticket).collect();
            // Only the Sync of a COPY that still goes on may be known to the server alone.
            assert!(known.is_subset(&self.server.skipped));
            assert!(self.server.skipped.difference(&known).all(|ticket| waiting.contains(ticket)));
            let settled: BTreeSet<u64> = self.ended.union(&known).copied().collect();
            assert!(self.awaited.iter().all(|ticket| settled.contains(ticket) != waiting.contains(ticket)));
        }
    }

    fn choice(&mut self, below: u8) -> u8 {
        self.script.next().unwrap_or(0) % below
    }
}

/// What PostgreSQL does, by the rules in the module's documentation.
#[derive(Default)]
struct Server {
    inbox: VecDeque<FrontendOp>,
    outbox: VecDeque<(Incoming, Option<u64>, u32)>,
    skipping: bool,
    /// The COPY that reads: its request, its statement, statements behind it.
    copy: Option<(FrontendOp, u32, u8)>,
    ended: BTreeSet<u64>,
    skipped: BTreeSet<u64>,
    gone: bool,
}

type Choose<'a> = &'a mut dyn FnMut(u8) -> u8;

impl Server {
    fn work(&mut self, choose: Choose<'_>) {
        if self.gone {
            return;
        }
        let Some(op) = self.inbox.pop_front() else { return };
        if let Some((owner, statement, left)) = self.copy {
            return self.read_copy(op, owner, statement, left, choose);
        }
        if choose(8) == 0 {
            self.outbox.push_back((Incoming::ParameterStatus, None, 0));
        }
        match op.kind {
            OpKind::Flush | OpKind::CopyData | OpKind::CopyDone | OpKind::CopyFail => {}
            OpKind::Sync => self.sync(op, choose),
            _ if self.skipping => {
                self.skipped.insert(op.ticket);
            }
            OpKind::Query => {
                let statements = choose(4);
                if statements == 0 {
                    self.say(Incoming::EmptyQueryResponse, op, 0);
                    self.ready(op, 1);
                } else {
                    self.run(op, 0, statements, choose);
                }
            }
            OpKind::FunctionCall => {
                let error = choose(3) == 0;
                self.say(if error { ERROR } else { Incoming::FunctionCallResponse }, op, 0);
                self.ready(op, u32::from(!error));
            }
            _ if choose(6) == 0 => self.fail(op, 0),
            OpKind::Execute => self.execute(op, choose),
            OpKind::DescribeStatement => {
                self.say(Incoming::ParameterDescription, op, 0);
                self.answer(if choose(2) == 0 { Incoming::NoData } else { Incoming::RowDescription }, op);
            }
            OpKind::DescribePortal => {
                self.answer(if choose(2) == 0 { Incoming::NoData } else { Incoming::RowDescription }, op);
            }
            OpKind::Parse => self.answer(Incoming::ParseComplete, op),
            OpKind::Bind => self.answer(Incoming::BindComplete, op),
            OpKind::Close => self.answer(Incoming::CloseComplete, op),
            OpKind::Terminate => self.gone = true,
        }
    }

    fn sync(&mut self, op: FrontendOp, choose: Choose<'_>) {
        if !self.skipping && choose(8) == 0 {
            self.say(ERROR, op, 0);
        }
        self.skipping = false;
        self.ready(op, 0);
    }

    fn execute(&mut self, op: FrontendOp, choose: Choose<'_>) {
        for _ in 0..choose(3) {
            self.say(Incoming::DataRow, op, 0);
        }
        match choose(5) {
            0 => self.fail(op, 0),
            1 => self.answer(Incoming::PortalSuspended, op),
            2 => self.answer(Incoming::CommandComplete, op),
            _ if self.outbox.back().is_some_and(|(last, ..)| *last == Incoming::DataRow) => {
                self.answer(Incoming::CommandComplete, op);
            }
            3 => self.answer(Incoming::EmptyQueryResponse, op),
            _ => self.begin_copy(op, 0, 0),
        }
    }

    /// Statements of a simple query, until one fails or reads COPY data.
    fn run(&mut self, op: FrontendOp, mut statement: u32, mut left: u8, choose: Choose<'_>) {
        while left > 0 {
            left -= 1;
            if choose(6) == 0 {
                self.say(Incoming::Notice, op, statement);
            }
            match choose(5) {
                0 => return self.fail(op, statement),
                1 => return self.begin_copy(op, statement, left),
                2 => {
                    for message in [Incoming::CopyOutResponse, Incoming::CopyData, Incoming::CopyDone] {
                        self.say(message, op, statement);
                    }
                }
                3 => {
                    self.say(Incoming::RowDescription, op, statement);
                    self.say(Incoming::DataRow, op, statement);
                }
                _ => {}
            }
            self.say(Incoming::CommandComplete, op, statement);
            statement += 1;
        }
        self.ready(op, statement);
    }

    fn begin_copy(&mut self, op: FrontendOp, statement: u32, left: u8) {
        self.say(Incoming::CopyInResponse, op, statement);
        self.copy = Some((op, statement, left));
    }

    fn read_copy(&mut self, op: FrontendOp, owner: FrontendOp, statement: u32, left: u8, choose: Choose<'_>) {
        match op.kind {
            OpKind::Flush => {}
            OpKind::Sync => {
                self.skipped.insert(op.ticket);
            }
            OpKind::CopyData if choose(4) > 0 => {}
            OpKind::CopyData | OpKind::CopyFail => {
                self.copy = None;
                self.fail(owner, statement);
            }
            OpKind::CopyDone => {
                self.copy = None;
                if owner.kind == OpKind::Query {
                    self.say(Incoming::CommandComplete, owner, statement);
                    self.run(owner, statement + 1, left, choose);
                } else {
                    self.answer(Incoming::CommandComplete, owner);
                }
            }
            // PostgreSQL 14 and later: "terminating connection because protocol synchronization was lost".
            _ => {
                self.say(Incoming::Error { ends_session: true }, owner, statement);
                self.ended.insert(owner.ticket);
                self.gone = true;
            }
        }
    }

    fn fail(&mut self, op: FrontendOp, statement: u32) {
        self.say(ERROR, op, statement);
        if op.kind == OpKind::Query {
            self.ready(op, statement);
        } else {
            self.skipping = true;
            self.ended.insert(op.ticket);
        }
    }

    fn answer(&mut self, message: Incoming, op: FrontendOp) {
        self.say(message, op, 0);
        self.ended.insert(op.ticket);
    }

    fn ready(&mut self, op: FrontendOp, statement: u32) {
        self.say(IDLE, op, statement);
        self.ended.insert(op.ticket);
    }

    fn say(&mut self, message: Incoming, op: FrontendOp, statement: u32) {
        self.outbox.push_back((message, Some(op.ticket), statement));
    }
}
