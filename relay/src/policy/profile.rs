//! What one principal may do on one connection: every answer of Cedar, asked once.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use identity::{Kind as PrincipalKind, Principal};
use schemas::event::ObjectScope;

use super::protection::{ClassificationError, Protection};
use super::set::PolicySet;
use crate::catalog::{QualifiedName, Readable, Relation, Snapshot, digest_hex};
use crate::config::{Classification, ColumnStyle, Connection};
use crate::rewrite::access::{Access, ColumnAccess, Grant, RelationAccess, Treatment};
use crate::rewrite::called;
use crate::rewrite::{Resolved, Resource, ScanError, Style, scan};

/// The answers for one principal, policy set, classification and catalog snapshot (rule 24).
#[derive(Debug, Clone)]
pub struct AccessProfile {
    may_connect: Grant,
    access: Access,
    policy_sha256: String,
    epoch: String,
}

/// A profile that cannot be computed: the connection is not served.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The classification does not fit the database.
    #[error(transparent)]
    Classification(#[from] ClassificationError),
    /// A masked scan cannot be built.
    #[error("masked scan of {relation}: {source}")]
    Scan {
        /// The relation.
        relation: String,
        /// Why.
        source: ScanError,
    },
    /// User code would run wherever values of these types meet, unseen by any parser (rule 4).
    #[error("the database has casts that call user-defined functions ({0}): such a database is not served")]
    OpaqueCasts(String),
    /// The same, wherever such values are sorted, grouped or compared.
    #[error("the database has operator classes that call user-defined functions ({0}): such a database is not served")]
    OpaqueOperatorClasses(String),
    /// Cedar could not answer; that is a denial and an alarm.
    #[error("policy evaluation failed: {0}")]
    Cedar(String),
}

impl PolicySet {
    /// Computes a principal's profile.
    ///
    /// An agent needs every permission twice: its own, and that of whom it acts for.
    ///
    /// # Errors
    /// [`ProfileError`]; nothing is served then.
    pub fn profile(
        &self,
        principal: &Principal,
        connection: &Connection,
        classification: &Classification,
        snapshot: &Snapshot,
    ) -> Result<AccessProfile, ProfileError> {
        if !snapshot.opaque_casts().is_empty() {
            return Err(ProfileError::OpaqueCasts(snapshot.opaque_casts().join(", ")));
        }
        if !snapshot.opaque_operator_classes().is_empty() {
            return Err(ProfileError::OpaqueOperatorClasses(snapshot.opaque_operator_classes().join(", ")));
        }
        let protection = Protection::close(classification, snapshot)?;
        let names = Names { connection: connection.name.as_str() };
        let desk = Desk::new(self, principal, &names, &protection, snapshot)?;
        let may_connect = desk.ask("connect", &names.connection()?)?;
        let mut access = Access::default();
        if may_connect.permitted {
            access.notify = desk.ask("notify", &names.connection()?)?;
            access.signal = desk.ask("signal", &names.connection()?)?;
            access.search_path = connection.search_path.as_slice().into();
            access.settings = connection.settings.as_slice().into();
            // No schema can have the empty name: only who may define things in any schema, may in a new one.
            access.new_schema = desk.ask_held("ddl", &names.schema("")?)?;
            for schema in snapshot.schemas() {
                access.schemas.insert(schema.to_owned(), desk.ask_held("ddl", &names.schema(schema)?)?);
            }
            // An extension can bring a thousand.
            let functions = self.may_permit(&uid("Action", "call")?).then(|| snapshot.user_functions());
            for (schema, name) in functions.into_iter().flatten() {
                let grant = desk.ask("call", &names.function(schema, name)?)?;
                if grant.permitted {
                    access.functions.insert((schema.to_owned(), name.to_owned()), grant);
                }
            }
            for (schema, name) in snapshot.functions_with_parsed_bodies() {
                let grant = desk.ask("call", &names.function(schema, name)?)?;
                // Nobody permits it, or somebody forbids it.
                if !grant.permitted && !grant.policies.is_empty() {
                    access.forbidden_functions.insert((schema.to_owned(), name.to_owned()));
                }
            }
            for relation in snapshot.relations() {
                let answers = answers(&desk, &names, relation, &protection, snapshot)?;
                access.stores_masks |= answers.write_masks.permitted;
                access.relations.insert(relation.oid, answers);
            }
        }
        let policy_sha256 = digest_hex(&self.in_force(connection, classification));
        Ok(AccessProfile { may_connect, access, policy_sha256, epoch: snapshot.epoch().to_owned() })
    }
}

impl PolicySet {
    /// All that decides about a connection, as its evidence names it: the policies, what is protected and how, and what is
    /// looked for besides.
    fn in_force(&self, connection: &Connection, classification: &Classification) -> String {
        let mut text = format!("{}\n{}", self.sha256(), classification_text(classification));
        if let Some(detectors) = &connection.detectors {
            text.push_str(&format!("\ndetectors {detectors:?}"));
        }
        text
    }

    /// The first held verb of `objects` that `approver` may not approve; nothing if they may approve all.
    ///
    /// # Errors
    /// [`ProfileError`]: nothing is approved then.
    pub fn may_not_approve(
        &self,
        approver: &Principal,
        connection: &Connection,
        classification: &Classification,
        snapshot: &Snapshot,
        objects: &[Resolved],
    ) -> Result<Option<Resolved>, ProfileError> {
        let protection = Protection::close(classification, snapshot)?;
        let names = Names { connection: connection.name.as_str() };
        let desk = Desk::new(self, approver, &names, &protection, snapshot)?;
        for object in objects.iter().filter(|object| object.held) {
            let resource = match &object.resource {
                Resource::Schema(schema) => Some(names.schema(schema)?),
                Resource::Relation(oid) => snapshot.relation(*oid).map(|relation| names.table(relation)).transpose()?,
            };
            let Some(resource) = resource else { return Ok(Some(object.clone())) };
            for principal in &desk.principals {
                let (may, _) = desk.answer(principal, "approve", &resource, verb_context(object.verb)?)?;
                if !may {
                    return Ok(Some(object.clone()));
                }
            }
        }
        Ok(None)
    }
}

impl AccessProfile {
    /// Whether the principal may open a session, and the policies that say so.
    #[must_use]
    pub fn may_connect(&self) -> &Grant {
        &self.may_connect
    }

    /// Whether the principal may hear notifications.
    #[must_use]
    pub fn may_notify(&self) -> bool {
        self.access.notify.permitted
    }

    /// SHA-256 (hex) over policies, Cedar schema and classification: what `session-open` records.
    #[must_use]
    pub fn policy_sha256(&self) -> &str {
        &self.policy_sha256
    }

    /// The snapshot's epoch that the profile was computed for; it must be computed anew for another.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// What is permitted, by object name; objects with nothing permitted are left out.
    #[must_use]
    pub fn scope(&self, snapshot: &Snapshot) -> Vec<ObjectScope> {
        let granted = |relation: &Relation| {
            let answers = self.access.relations.get(&relation.oid).filter(|answers| answers.barred.is_none())?;
            answers.scope(relation.qualified().to_string())
        };
        let functions = self.access.functions.keys().map(|(schema, name)| ObjectScope {
            object: called(schema, name),
            permitted: vec!["call".to_owned()],
            held: Vec::new(),
            revealed: Vec::new(),
        });
        let mut scope: Vec<ObjectScope> = snapshot.relations().filter_map(granted).chain(functions).collect();
        scope.sort_by(|one, other| one.object.cmp(&other.object));
        scope
    }

    /// Columns (relation OID, attribute number) that no `RowDescription` may name for this principal: the second net.
    pub fn masked_columns(&self) -> impl Iterator<Item = (u32, i16)> + '_ {
        self.columns(|treatment| matches!(treatment, Treatment::Masked(_)))
    }

    /// (relation OID, attribute number) of every protected column that this principal may see.
    pub(crate) fn revealed_columns(&self) -> impl Iterator<Item = (u32, i16)> + '_ {
        self.columns(|treatment| matches!(treatment, Treatment::Revealed))
    }

    fn columns(&self, of: fn(&Treatment) -> bool) -> impl Iterator<Item = (u32, i16)> + '_ {
        self.access.relations.iter().flat_map(move |(oid, relation)| {
            let columns = relation.columns.iter().filter(move |column| of(&column.treatment));
            columns.map(move |column| (*oid, column.number))
        })
    }
}

fn answers(
    desk: &Desk<'_>,
    names: &Names<'_>,
    relation: &Relation,
    protection: &Protection,
    snapshot: &Snapshot,
) -> Result<RelationAccess, ProfileError> {
    let table = names.table(relation)?;
    let mut access = RelationAccess {
        select: desk.ask("select", &table)?,
        insert: desk.ask_held("insert", &table)?,
        update: desk.ask_held("update", &table)?,
        delete: desk.ask_held("delete", &table)?,
        ddl: desk.ask_held("ddl", &table)?,
        barred: protection.barred(relation.oid).map(str::to_owned),
        classified: protection.names(relation.oid),
        ..RelationAccess::default()
    };
    let Some(styles) = protection.columns(relation.oid) else { return Ok(access) };
    access.protected = true;
    let action = "write_masks";
    if desk.set.may_permit(&uid("Action", action)?) {
        // Nobody may that alone: what is permitted is held.
        let grant = desk.ask(action, &table)?;
        access.write_masks = Grant { held: grant.permitted, ..grant };
    }
    for column in &relation.columns {
        let treatment = match styles.get(&column.number).cloned().unwrap_or(Some(Style::Default)) {
            None => Treatment::Clear,
            Some(style) => {
                let reveal = desk.ask("reveal", &names.column(relation, &column.name)?)?;
                if reveal.permitted {
                    access.reveal_policies.extend(reveal.policies);
                    Treatment::Revealed
                } else {
                    Treatment::Masked(style)
                }
            }
        };
        access.columns.push(ColumnAccess { number: column.number, name: column.name.clone(), treatment });
    }
    access.reveal_policies.sort();
    access.reveal_policies.dedup();
    if access.columns.iter().any(|column| matches!(column.treatment, Treatment::Masked(_))) {
        let failed = |source| ProfileError::Scan { relation: relation.qualified().to_string(), source };
        access.scan = Some(scan::build(relation, &access.columns, &|name| snapshot.knows(name)).map_err(failed)?);
    }
    Ok(access)
}

/// Where questions are put: policies, entities, and everybody who must be permitted.
struct Desk<'a> {
    set: &'a PolicySet,
    authorizer: Authorizer,
    entities: Entities,
    principals: Vec<EntityUid>,
}

impl<'a> Desk<'a> {
    fn new(
        set: &'a PolicySet,
        principal: &Principal,
        names: &Names<'_>,
        protection: &Protection,
        snapshot: &Snapshot,
    ) -> Result<Self, ProfileError> {
        let mut entities = resources(names, protection, snapshot)?;
        let mut principals = Vec::new();
        let mut next = Some(principal);
        while let Some(principal) = next {
            let uid = principal_uid(principal)?;
            entities.push(actor(principal, uid.clone())?);
            principals.push(uid);
            next = principal.acts_for.as_deref();
        }
        entities.sort_by_key(|entity| entity.uid().to_string());
        entities.dedup_by_key(|entity| entity.uid().to_string());
        let entities = Entities::from_entities(entities, Some(&set.schema))
            .map_err(|error| ProfileError::Cedar(error.to_string()))?;
        Ok(Self { set, authorizer: Authorizer::new(), entities, principals })
    }

    /// Permitted only if everybody concerned is, and no policy failed.
    fn ask(&self, action: &str, resource: &EntityUid) -> Result<Grant, ProfileError> {
        let mut grant = Grant { permitted: true, ..Grant::default() };
        for principal in &self.principals {
            let (permitted, policies) = self.answer(principal, action, resource, Context::empty())?;
            grant.permitted &= permitted;
            grant.policies.extend(policies);
        }
        grant.policies.sort();
        grant.policies.dedup();
        Ok(grant)
    }

    /// As [`Self::ask`]; what is permitted is held if approval is required for anybody concerned.
    fn ask_held(&self, verb: &str, resource: &EntityUid) -> Result<Grant, ProfileError> {
        let mut grant = self.ask(verb, resource)?;
        if grant.permitted {
            for principal in &self.principals {
                let (held, policies) = self.answer(principal, "approve_required", resource, verb_context(verb)?)?;
                grant.held |= held;
                grant.policies.extend(policies);
            }
            grant.policies.sort();
            grant.policies.dedup();
        }
        Ok(grant)
    }

    fn answer(
        &self,
        principal: &EntityUid,
        action: &str,
        resource: &EntityUid,
        context: Context,
    ) -> Result<(bool, Vec<String>), ProfileError> {
        let cedar = |error: String| ProfileError::Cedar(error);
        let (action, schema) = (uid("Action", action)?, Some(&self.set.schema));
        let request = Request::new(principal.clone(), action, resource.clone(), context, schema)
            .map_err(|error| cedar(error.to_string()))?;
        let response = self.authorizer.is_authorized(&request, &self.set.policies, &self.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(cedar(error.to_string()));
        }
        let policies = response.diagnostics().reason().map(ToString::to_string).collect();
        Ok((response.decision() == Decision::Allow, policies))
    }
}

fn verb_context(verb: &str) -> Result<Context, ProfileError> {
    let verb = ("verb".to_owned(), RestrictedExpression::new_string(verb.to_owned()));
    Context::from_pairs([verb]).map_err(|error| ProfileError::Cedar(error.to_string()))
}

/// Identifiers of resources, as the schema's first lines tell them.
struct Names<'a> {
    connection: &'a str,
}

impl Names<'_> {
    fn connection(&self) -> Result<EntityUid, ProfileError> {
        uid("Connection", self.connection)
    }

    fn schema(&self, schema: &str) -> Result<EntityUid, ProfileError> {
        uid("Schema", &format!("{}/{}", self.connection, Readable(schema)))
    }

    fn table(&self, relation: &Relation) -> Result<EntityUid, ProfileError> {
        uid("Table", &format!("{}/{}", self.connection, relation.qualified()))
    }

    fn function(&self, schema: &str, name: &str) -> Result<EntityUid, ProfileError> {
        uid("Function", &format!("{}/{}", self.connection, QualifiedName { schema, name }))
    }

    fn column(&self, relation: &Relation, column: &str) -> Result<EntityUid, ProfileError> {
        uid("Column", &format!("{}/{}.{}", self.connection, relation.qualified(), Readable(column)))
    }
}

fn resources(names: &Names<'_>, protection: &Protection, snapshot: &Snapshot) -> Result<Vec<Entity>, ProfileError> {
    let connection = names.connection()?;
    let mut entities = vec![Entity::new_no_attrs(connection.clone(), HashSet::new())];
    entities.push(Entity::new_no_attrs(names.schema("")?, HashSet::from([connection.clone()])));
    for schema in snapshot.schemas() {
        entities.push(Entity::new_no_attrs(names.schema(schema)?, HashSet::from([connection.clone()])));
    }
    for (schema, name) in snapshot.user_functions() {
        entities.push(Entity::new_no_attrs(names.function(schema, name)?, HashSet::from([names.schema(schema)?])));
    }
    for relation in snapshot.relations() {
        let table = names.table(relation)?;
        let styles = protection.columns(relation.oid);
        let attributes = HashMap::from([
            ("kind".to_owned(), RestrictedExpression::new_string(relation.kind.noun().to_owned())),
            ("protected".to_owned(), RestrictedExpression::new_bool(styles.is_some())),
        ]);
        entities.push(entity(table.clone(), attributes, names.schema(&relation.schema)?)?);
        for column in &relation.columns {
            if let Some(style) = styles.and_then(|styles| styles.get(&column.number)?.as_ref()) {
                let attributes =
                    HashMap::from([("style".to_owned(), RestrictedExpression::new_string(style.to_string()))]);
                entities.push(entity(names.column(relation, &column.name)?, attributes, table.clone())?);
            }
        }
    }
    Ok(entities)
}

fn entity(
    uid: EntityUid,
    attributes: HashMap<String, RestrictedExpression>,
    parent: EntityUid,
) -> Result<Entity, ProfileError> {
    Entity::new(uid, attributes, HashSet::from([parent])).map_err(|error| ProfileError::Cedar(error.to_string()))
}

fn actor(principal: &Principal, uid: EntityUid) -> Result<Entity, ProfileError> {
    let mut groups = HashSet::new();
    for group in &principal.groups {
        groups.insert(self::uid("Group", group)?);
    }
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let attributes = HashMap::from([
        ("issuer".to_owned(), text(&principal.issuer)),
        ("subject".to_owned(), text(&principal.subject)),
        ("name".to_owned(), text(&principal.name)),
    ]);
    Entity::new(uid, attributes, groups).map_err(|error| ProfileError::Cedar(error.to_string()))
}

fn principal_uid(principal: &Principal) -> Result<EntityUid, ProfileError> {
    let kind = match principal.kind {
        PrincipalKind::User => "User",
        PrincipalKind::Service => "Service",
        PrincipalKind::Agent => "Agent",
    };
    uid(kind, &format!("{}#{}", principal.issuer, principal.subject))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, ProfileError> {
    let kind: EntityTypeName = kind.parse().map_err(|_| ProfileError::Cedar(format!("entity type {kind}")))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// A text that differs whenever the classification does.
fn classification_text(classification: &Classification) -> String {
    let mut tables: BTreeMap<&str, Vec<(&String, &ColumnStyle)>> = BTreeMap::new();
    for table in &classification.table {
        tables.entry(&table.name).or_default().extend(&table.columns);
    }
    format!("{tables:?}")
}
