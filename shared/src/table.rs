//! The one table. It knows DynamoDB; nothing else does.
//!
//! Every write says what it assumes: `create` fails where a row exists, a [`Change`] carries its conditions. Reads
//! pass over rows whose time has run out, for DynamoDB deletes them late.

use std::{collections::HashMap, marker::PhantomData, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError},
    types::{
        AttributeValue, ConsumedCapacity, Delete, KeysAndAttributes, Put, ReturnConsumedCapacity, ReturnValue,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    error::{Cause, Error, Result},
    key::{Index, Key, Range},
};

/// So many keys a request (docs.aws.amazon.com, DynamoDB, `BatchGetItem`).
const BATCH: usize = 100;

/// A row as DynamoDB and its stream show it.
pub type Item = HashMap<String, AttributeValue>;

/// Something stored as one item.
pub trait Row: Serialize + DeserializeOwned {
    /// Written to every item, for the stream and for people in the console.
    const KIND: &'static str;
    /// The shape of what is stored. Raise it when an older row no longer reads.
    const VERSION: u32 = 1;

    /// Where it is stored.
    fn key(&self) -> Key<Self>;

    /// Where the sparse index lists it, if it does.
    fn index(&self) -> Option<Index> {
        None
    }

    /// When it may be forgotten.
    fn expires(&self) -> Option<Timestamp> {
        None
    }
}

/// What became of a row that may have been there already.
pub enum Created<E> {
    /// It is new.
    New,
    /// It was there: here it is, untouched.
    Was(Box<E>),
}

/// The table. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
    meter: Option<Meter>,
    consistent: bool,
}

/// Told of every request's consumed capacity: (operation, units).
pub type Meter = std::sync::Arc<dyn Fn(&'static str, &ConsumedCapacity) + Send + Sync>;

/// One page of a range.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most so many rows.
    pub limit: u16,
    /// Begin behind the row with this sort key.
    pub after: Option<String>,
    /// Last rows first.
    pub newest_first: bool,
}

impl Page {
    /// The first rows, in the order of their keys.
    pub fn first(limit: u16) -> Self {
        Self { limit, after: None, newest_first: false }
    }
}

/// What was found in a range.
pub struct Found<E> {
    /// The rows, in the order asked for.
    pub rows: Vec<E>,
    /// Sort key of the last one read, when there is more behind it.
    pub more: Option<String>,
}

impl Table {
    /// The table of that name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), meter: None, consistent: false }
    }

    /// The same table, where every read but those of the index sees every write that was acknowledged, at twice the
    /// price: for work that builds on what it has just written.
    pub fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// The same table, reporting what each request consumes.
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// One cheap read, so that the first request finds an open connection.
    pub async fn prime(&self) {
        let nothing = Key::<Nothing>::of("-", "-");
        let _ = self.read(&nothing, false).await;
    }

    /// The row, as it was a moment ago (half the price of [`Table::find_now`]).
    pub async fn find<E: Row>(&self, key: Key<E>) -> Result<Option<E>> {
        self.read(&key, false).await
    }

    /// The row, as it is after every write that was acknowledged.
    pub async fn find_now<E: Row>(&self, key: Key<E>) -> Result<Option<E>> {
        self.read(&key, true).await
    }

    /// The row, or the answer that there is none.
    pub async fn get<E: Row>(&self, key: Key<E>) -> Result<E> {
        self.find_now(key).await?.ok_or(Error::NotFound { kind: E::KIND })
    }

    async fn read<E: Row>(&self, key: &Key<E>, consistent: bool) -> Result<Option<E>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", s(&key.pk))
            .key("sk", s(&key.sk))
            .consistent_read(consistent || self.consistent)
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("GetItem", answer.consumed_capacity.as_ref());
        answer.item.filter(is_alive).map(row).transpose()
    }

    /// All rows of these keys, none of which comes twice, in no order; what is missing is left out. A request for each
    /// hundred of them.
    pub async fn find_all<E: Row>(&self, keys: &[Key<E>]) -> Result<Vec<E>> {
        let mut rows = Vec::with_capacity(keys.len());
        for some in keys.chunks(BATCH) {
            self.find_some(some, &mut rows).await?;
        }
        Ok(rows)
    }

    async fn find_some<E: Row>(&self, keys: &[Key<E>], rows: &mut Vec<E>) -> Result<()> {
        let mut wanted: Vec<Item> = keys.iter().map(address).collect();
        for pause in [0, 50, 200, 800] {
            if wanted.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let ask = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut wanted)))
                .consistent_read(self.consistent)
                .build()
                .map_err(|cause| Error::internal("batch of keys", cause))?;
            let mut answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, ask)
                .set_return_consumed_capacity(self.metering())
                .send()
                .await
                .map_err(failed)?;
            for used in answer.consumed_capacity() {
                self.count("BatchGetItem", Some(used));
            }
            for item in answer.responses.as_mut().and_then(|all| all.remove(&self.name)).unwrap_or_default() {
                if is_alive(&item) {
                    rows.push(row(item)?);
                }
            }
            wanted = answer
                .unprocessed_keys
                .and_then(|mut left| left.remove(&self.name))
                .map(|left| left.keys)
                .unwrap_or_default();
        }
        if wanted.is_empty() { Ok(()) } else { Err(Error::unavailable("table", "keys were left unprocessed")) }
    }

    /// Stores a new row; never overwrites.
    pub async fn create<E: Row>(&self, row: &E) -> Result<Created<E>> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(row)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.metering())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.count("PutItem", answer.consumed_capacity.as_ref());
                Ok(Created::New)
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(there)) => match there.item.clone() {
                    Some(old) => Ok(Created::Was(Box::new(self::row(old)?))),
                    None => Err(Error::internal("a clash without the row it clashed with", error)),
                },
                _ => Err(failed(error)),
            },
        }
    }

    /// Stores a row whatever was there before: only for what can be derived again.
    pub async fn put<E: Row>(&self, row: &E) -> Result<()> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(row)?))
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("PutItem", answer.consumed_capacity.as_ref());
        Ok(())
    }

    /// Stores a row in place of the one whose `field` was read as `seen`. `false` where it has changed since, or gone.
    pub async fn replace<E: Row>(&self, row: &E, field: &str, seen: impl Serialize) -> Result<bool> {
        let terms = Terms::seen(field, seen)?;
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(row)?))
            .set_condition_expression(terms.condition())
            .set_expression_attribute_names(terms.names())
            .set_expression_attribute_values(terms.values())
            .set_return_consumed_capacity(self.metering())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.count("PutItem", answer.consumed_capacity.as_ref());
                Ok(true)
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }

    /// Removes the row whose `field` was read as `seen`. `false` where it has changed since, or gone.
    pub async fn delete_seen<E: Row>(&self, key: Key<E>, field: &str, seen: impl Serialize) -> Result<bool> {
        let terms = Terms::seen(field, seen)?;
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("pk", s(&key.pk))
            .key("sk", s(&key.sk))
            .set_condition_expression(terms.condition())
            .set_expression_attribute_names(terms.names())
            .set_expression_attribute_values(terms.values())
            .set_return_consumed_capacity(self.metering())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.count("DeleteItem", answer.consumed_capacity.as_ref());
                Ok(true)
            }
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }

    /// Removes a row, if it is there.
    pub async fn delete<E: Row>(&self, key: Key<E>) -> Result<()> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("pk", s(&key.pk))
            .key("sk", s(&key.sk))
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("DeleteItem", answer.consumed_capacity.as_ref());
        Ok(())
    }

    /// Removes a row and returns it, to exactly one caller: for what may be used once.
    pub async fn take<E: Row>(&self, key: Key<E>) -> Result<Option<E>> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("pk", s(&key.pk))
            .key("sk", s(&key.sk))
            .return_values(ReturnValue::AllOld)
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("DeleteItem", answer.consumed_capacity.as_ref());
        answer.attributes.filter(is_alive).map(row).transpose()
    }

    /// One page of a range. One that ends before it begins is empty: DynamoDB refuses to look.
    pub async fn list<E: Row>(&self, range: &Range<E>, page: Page) -> Result<Found<E>> {
        if range.from > range.to {
            return Ok(Found { rows: Vec::new(), more: None });
        }
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(&range.pk))
            .expression_attribute_values(":from", s(&range.from))
            .expression_attribute_values(":to", s(&range.to))
            .consistent_read(self.consistent)
            .limit(i32::from(page.limit))
            .scan_index_forward(!page.newest_first)
            .set_exclusive_start_key(
                page.after.map(|sk| HashMap::from([("pk".into(), s(&range.pk)), ("sk".into(), s(&sk))])),
            )
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("Query", answer.consumed_capacity.as_ref());
        let more = answer.last_evaluated_key.and_then(|mut key| text(key.remove("sk")));
        let rows = answer.items.unwrap_or_default().into_iter().filter(is_alive).map(row).collect::<Result<_>>()?;
        Ok(Found { rows, more })
    }

    /// Every row of a range that is known to be small.
    pub async fn list_all<E: Row>(&self, range: &Range<E>) -> Result<Vec<E>> {
        let mut all = Vec::new();
        self.each_page(range, |rows| {
            all.extend(rows);
            Ok(true)
        })
        .await?;
        Ok(all)
    }

    /// The rows of a range page by page, first to last, until `take` says that it is enough: for one that may be large.
    pub async fn each_page<E: Row>(
        &self,
        range: &Range<E>,
        mut take: impl FnMut(Vec<E>) -> Result<bool>,
    ) -> Result<()> {
        let mut page = Page::first(1_000);
        loop {
            let found = self.list(range, page.clone()).await?;
            let goes_on = take(found.rows)?;
            match found.more.filter(|_| goes_on) {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }

    /// The keys that the sparse index lists in one partition, up to a sort key (an empty one: all), first to last.
    pub async fn list_index(&self, until: &Index, limit: u16) -> Result<Vec<Listed>> {
        self.list_index_after(until, None, limit).await
    }

    /// The same, beginning behind the last one of the page before.
    pub async fn list_index_after(&self, until: &Index, after: Option<&Listed>, limit: u16) -> Result<Vec<Listed>> {
        let query = self.client.query().table_name(&self.name).index_name("gsi1");
        let query = if until.sk.is_empty() {
            query.key_condition_expression("gsi1pk = :pk")
        } else {
            query
                .key_condition_expression("gsi1pk = :pk AND gsi1sk <= :until")
                .expression_attribute_values(":until", s(&until.sk))
        };
        let answer = query
            .expression_attribute_values(":pk", s(&until.pk))
            .set_exclusive_start_key(after.map(|last| last.place_in(&until.pk)))
            .limit(i32::from(limit))
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("Query", answer.consumed_capacity.as_ref());
        Ok(listed(answer.items))
    }

    /// The keys that the sparse index lists in one partition between two places, both included, last to first, beginning
    /// behind the last one of the page before. Where the one lies behind the other there are none.
    pub async fn list_index_newest(
        &self,
        from: &Index,
        to: &Index,
        after: Option<&Listed>,
        limit: u16,
    ) -> Result<Vec<Listed>> {
        if from.sk > to.sk {
            return Ok(Vec::new());
        }
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("gsi1")
            .key_condition_expression("gsi1pk = :pk AND gsi1sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(&from.pk))
            .expression_attribute_values(":from", s(&from.sk))
            .expression_attribute_values(":to", s(&to.sk))
            .set_exclusive_start_key(after.map(|last| last.place_in(&from.pk)))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_return_consumed_capacity(self.metering())
            .send()
            .await
            .map_err(failed)?;
        self.count("Query", answer.consumed_capacity.as_ref());
        Ok(listed(answer.items))
    }

    /// Changes one row; see [`Change`].
    pub fn change<E: Row>(&self, key: Key<E>) -> Change<'_, E> {
        Change { table: self, key, terms: Terms::default(), row: PhantomData }
    }

    /// Writes several rows, all or none; at most 100.
    pub fn transact(&self) -> Transaction<'_> {
        Transaction { table: self, writes: Ok(Vec::new()) }
    }

    fn metering(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Indexes)
    }

    fn count(&self, operation: &'static str, used: Option<&ConsumedCapacity>) {
        if let (Some(meter), Some(used)) = (&self.meter, used) {
            meter(operation, used);
        }
    }
}

/// A row named by the index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    pk: String,
    sk: String,
    /// Its sort key in the index.
    pub place: String,
}

impl Listed {
    /// The row with this key, listed there: to go on behind it.
    pub fn of<E>(key: &Key<E>, at: &Index) -> Self {
        Self { pk: key.pk.clone(), sk: key.sk.clone(), place: at.sk.clone() }
    }

    /// The key of the row, which is an `E`.
    pub fn key<E>(&self) -> Key<E> {
        Key::of(&self.pk, &self.sk)
    }

    fn place_in(&self, partition: &str) -> Item {
        HashMap::from([
            ("pk".into(), s(&self.pk)),
            ("sk".into(), s(&self.sk)),
            ("gsi1pk".into(), s(partition)),
            ("gsi1sk".into(), s(&self.place)),
        ])
    }

    /// The id in the row's partition key at `part`, or in its sort key behind the last separator.
    pub fn tenant(&self) -> Option<crate::id::TenantId> {
        self.pk.split('#').next()?.parse().ok()
    }

    /// The id that its sort key ends with, if it is of that kind.
    pub fn id<I: std::str::FromStr>(&self) -> Option<I> {
        self.sk.rsplit('#').next()?.parse().ok()
    }
}

/// Changes to one row, written only where every condition holds.
pub struct Change<'t, E> {
    table: &'t Table,
    key: Key<E>,
    terms: Terms,
    row: PhantomData<fn() -> E>,
}

#[derive(Default)]
struct Terms {
    names: HashMap<String, String>,
    values: Item,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    fault: Option<Error>,
}

impl Terms {
    /// One condition: the field is still what was read.
    fn seen(field: &str, value: impl Serialize) -> Result<Self> {
        let mut terms = Self::default();
        let condition = format!("{} = {}", terms.name(field), terms.value(value));
        terms.conditions.push(condition);
        match terms.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(terms),
        }
    }

    fn name(&mut self, field: &str) -> String {
        let name = format!("#{}", field.replace('.', "_"));
        self.names.insert(name.clone(), field.into());
        name
    }

    fn value(&mut self, value: impl Serialize) -> String {
        let slot = format!(":v{}", self.values.len());
        match serde_dynamo::to_attribute_value::<_, AttributeValue>(value) {
            Ok(value) => {
                self.values.insert(slot.clone(), value);
            }
            Err(cause) => self.fault = Some(Error::internal("a value does not serialize", cause)),
        }
        slot
    }

    fn set(&mut self, field: &str, value: impl Serialize) {
        let term = format!("{} = {}", self.name(field), self.value(value));
        self.set.push(term);
    }

    fn expression(&self) -> String {
        [("SET", &self.set), ("ADD", &self.add), ("REMOVE", &self.remove)]
            .into_iter()
            .filter(|(_, terms)| !terms.is_empty())
            .map(|(verb, terms)| format!("{verb} {}", terms.join(", ")))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

impl<E: Row> Change<'_, E> {
    /// The field becomes this.
    pub fn set(mut self, field: &str, value: impl Serialize) -> Self {
        self.terms.set(field, value);
        self
    }

    /// The field becomes this, or goes where there is none.
    pub fn set_or_remove(self, field: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(field, value),
            None => self.remove(field),
        }
    }

    /// The number in the field grows by this. Not idempotent: guard it by a condition.
    pub fn add(mut self, field: &str, more: impl Serialize) -> Self {
        let term = format!("{} {}", self.terms.name(field), self.terms.value(more));
        self.terms.add.push(term);
        self
    }

    /// The field goes.
    pub fn remove(mut self, field: &str) -> Self {
        let name = self.terms.name(field);
        self.terms.remove.push(name);
        self
    }

    /// The sparse index lists the row here, or nowhere.
    pub fn index(self, index: Option<Index>) -> Self {
        match index {
            Some(index) => self.set("gsi1pk", index.pk).set("gsi1sk", index.sk),
            None => self.remove("gsi1pk").remove("gsi1sk"),
        }
    }

    /// It may be forgotten after this.
    pub fn expires(self, at: Timestamp) -> Self {
        self.set("ttl", at.as_second())
    }

    /// It is not forgotten.
    pub fn lasts(self) -> Self {
        self.remove("ttl")
    }

    /// A row made by this change is of its kind: for counters that begin with their first count.
    pub fn or_new(self) -> Self {
        self.set("kind", E::KIND).set("v", E::VERSION)
    }

    /// Only if there is such a row.
    pub fn when_there(mut self) -> Self {
        self.terms.conditions.push("attribute_exists(pk)".into());
        self
    }

    /// Only if the field is exactly this.
    pub fn when(self, field: &str, value: impl Serialize) -> Self {
        self.compare(field, "=", value)
    }

    /// Only if the field is less than this.
    pub fn when_below(self, field: &str, value: impl Serialize) -> Self {
        self.compare(field, "<", value)
    }

    /// Only if the field is this or more.
    pub fn when_at_least(self, field: &str, value: impl Serialize) -> Self {
        self.compare(field, ">=", value)
    }

    /// Only if the field is at most this, or missing.
    pub fn when_at_most_or_missing(mut self, field: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.terms.name(field), self.terms.value(value));
        self.terms.conditions.push(format!("(attribute_not_exists({name}) OR {name} <= {value})"));
        self
    }

    /// Only if the field is exactly this, or missing: for one that older rows do not have, given what they count as.
    pub fn when_or_missing(mut self, field: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.terms.name(field), self.terms.value(value));
        self.terms.conditions.push(format!("(attribute_not_exists({name}) OR {name} = {value})"));
        self
    }

    /// Only if the field is missing.
    pub fn when_missing(mut self, field: &str) -> Self {
        let name = self.terms.name(field);
        self.terms.conditions.push(format!("attribute_not_exists({name})"));
        self
    }

    fn compare(mut self, field: &str, how: &str, value: impl Serialize) -> Self {
        let term = format!("{} {how} {}", self.terms.name(field), self.terms.value(value));
        self.terms.conditions.push(term);
        self
    }

    /// Writes it. The row as it is now, or `None` where a condition did not hold.
    pub async fn send(self) -> Result<Option<E>> {
        let table = self.table;
        let answer = self.request()?.return_values(ReturnValue::AllNew).send().await;
        match answer {
            Ok(answer) => {
                table.count("UpdateItem", answer.consumed_capacity.as_ref());
                answer.attributes.map(row).transpose()
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(failed(error)),
            },
        }
    }

    /// Writes it, and reads nothing back. `false` where a condition did not hold.
    pub async fn write(self) -> Result<bool> {
        let table = self.table;
        match self.request()?.send().await {
            Ok(answer) => {
                table.count("UpdateItem", answer.consumed_capacity.as_ref());
                Ok(true)
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }

    fn request(self) -> Result<aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder> {
        if let Some(fault) = self.terms.fault {
            return Err(fault);
        }
        Ok(self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key("pk", s(&self.key.pk))
            .key("sk", s(&self.key.sk))
            .update_expression(self.terms.expression())
            .set_condition_expression(self.terms.condition())
            .set_expression_attribute_names(self.terms.names())
            .set_expression_attribute_values(self.terms.values())
            .set_return_consumed_capacity(self.table.metering()))
    }
}

/// Several writes, all or none.
pub struct Transaction<'t> {
    table: &'t Table,
    writes: Result<Vec<TransactWriteItem>>,
}

impl Transaction<'_> {
    /// A new row; the whole fails where it exists.
    pub fn create<E: Row>(self, row: &E) -> Self {
        self.put_where(row, Some("attribute_not_exists(pk)"))
    }

    /// A row, whatever was there before.
    pub fn put<E: Row>(self, row: &E) -> Self {
        self.put_where(row, None)
    }

    /// A row in place of the one whose `field` was read as `seen`; the whole fails where it has changed since, or gone.
    pub fn replace<E: Row>(self, row: &E, field: &str, seen: impl Serialize) -> Self {
        let table = self.table;
        self.push(|| {
            let terms = Terms::seen(field, seen)?;
            let put = Put::builder()
                .table_name(&table.name)
                .set_item(Some(item(row)?))
                .set_condition_expression(terms.condition())
                .set_expression_attribute_names(terms.names())
                .set_expression_attribute_values(terms.values())
                .build()
                .map_err(|cause| Error::internal("put", cause))?;
            Ok(TransactWriteItem::builder().put(put).build())
        })
    }

    fn put_where<E: Row>(self, row: &E, condition: Option<&str>) -> Self {
        let table = self.table;
        self.push(|| {
            let put = Put::builder()
                .table_name(&table.name)
                .set_item(Some(item(row)?))
                .set_condition_expression(condition.map(Into::into))
                .build()
                .map_err(|cause| Error::internal("put", cause))?;
            Ok(TransactWriteItem::builder().put(put).build())
        })
    }

    /// A change with its conditions.
    pub fn change<E: Row>(self, change: Change<'_, E>) -> Self {
        let table = self.table;
        self.push(|| {
            if let Some(fault) = change.terms.fault {
                return Err(fault);
            }
            let update = Update::builder()
                .table_name(&table.name)
                .set_key(Some(address(&change.key)))
                .update_expression(change.terms.expression())
                .set_condition_expression(change.terms.condition())
                .set_expression_attribute_names(change.terms.names())
                .set_expression_attribute_values(change.terms.values())
                .build()
                .map_err(|cause| Error::internal("update", cause))?;
            Ok(TransactWriteItem::builder().update(update).build())
        })
    }

    /// The row goes.
    pub fn delete<E: Row>(self, key: &Key<E>) -> Self {
        let table = self.table;
        self.push(|| {
            let delete = Delete::builder()
                .table_name(&table.name)
                .set_key(Some(address(key)))
                .build()
                .map_err(|cause| Error::internal("delete", cause))?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        })
    }

    /// The row goes; the whole fails unless it is there and its `field` is exactly this. A row of before there was such a
    /// field counts as seen.
    pub fn delete_seen<E: Row>(self, key: &Key<E>, field: &str, seen: impl Serialize) -> Self {
        let table = self.table;
        self.push(|| {
            let mut terms = Terms::default();
            let (name, value) = (terms.name(field), terms.value(seen));
            if let Some(fault) = terms.fault.take() {
                return Err(fault);
            }
            let condition = format!("attribute_exists(pk) AND (attribute_not_exists({name}) OR {name} = {value})");
            let delete = Delete::builder()
                .table_name(&table.name)
                .set_key(Some(address(key)))
                .condition_expression(condition)
                .set_expression_attribute_names(terms.names())
                .set_expression_attribute_values(terms.values())
                .build()
                .map_err(|cause| Error::internal("delete", cause))?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        })
    }

    fn push(mut self, write: impl FnOnce() -> Result<TransactWriteItem>) -> Self {
        if let Ok(writes) = &mut self.writes {
            match write() {
                Ok(write) => writes.push(write),
                Err(fault) => self.writes = Err(fault),
            }
        }
        self
    }

    /// Writes all, or nothing and `false` where a condition did not hold.
    pub async fn send(self) -> Result<bool> {
        let answer = self
            .table
            .client
            .transact_write_items()
            .set_transact_items(Some(self.writes?))
            .set_return_consumed_capacity(self.table.metering())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                for used in answer.consumed_capacity() {
                    self.table.count("TransactWriteItems", Some(used));
                }
                Ok(true)
            }
            Err(error) => {
                let reasons = match error.as_service_error() {
                    Some(service) if service.is_transaction_canceled_exception() => match service {
                        aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
                            canceled,
                        ) => canceled.cancellation_reasons().to_vec(),
                        _ => Vec::new(),
                    },
                    _ => Vec::new(),
                };
                let code = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
                if code("ConditionalCheckFailed") {
                    Ok(false)
                } else if code("TransactionConflict") {
                    Err(Error::unavailable("table", error))
                } else {
                    Err(failed(error))
                }
            }
        }
    }
}

/// An item of the stream or of an answer, as the row it is.
pub fn row<E: Row>(mut item: Item) -> Result<E> {
    let place = [item.remove("pk"), item.remove("sk")];
    serde_dynamo::from_item(item).map_err(|cause: serde_dynamo::Error| {
        let [pk, sk] = place.map(|part| part.and_then(|part| part.as_s().ok().cloned()).unwrap_or_default());
        Error::internal("a stored row cannot be read", format!("{pk} {sk}: {cause}"))
    })
}

/// A row as it is stored.
pub(crate) fn item<E: Row>(row: &E) -> Result<Item> {
    let mut item: Item =
        serde_dynamo::to_item(row).map_err(|cause| Error::internal("a row does not serialize", cause))?;
    let key = row.key();
    item.retain(|_, value| !matches!(value, AttributeValue::Null(_)));
    item.insert("pk".into(), AttributeValue::S(key.pk));
    item.insert("sk".into(), AttributeValue::S(key.sk));
    item.insert("kind".into(), s(E::KIND));
    item.insert("v".into(), AttributeValue::N(E::VERSION.to_string()));
    if let Some(index) = row.index() {
        item.insert("gsi1pk".into(), AttributeValue::S(index.pk));
        item.insert("gsi1sk".into(), AttributeValue::S(index.sk));
    }
    if let Some(at) = row.expires() {
        item.insert("ttl".into(), AttributeValue::N(at.as_second().to_string()));
    }
    Ok(item)
}

fn listed(items: Option<Vec<Item>>) -> Vec<Listed> {
    let read = |mut item: Item| {
        Some(Listed { pk: text(item.remove("pk"))?, sk: text(item.remove("sk"))?, place: text(item.remove("gsi1sk"))? })
    };
    items.unwrap_or_default().into_iter().filter_map(read).collect()
}

fn is_alive(item: &Item) -> bool {
    item.get("ttl")
        .and_then(|ttl| ttl.as_n().ok())
        .and_then(|ttl| ttl.parse::<i64>().ok())
        .is_none_or(|ttl| ttl > Timestamp::now().as_second())
}

fn address<E>(key: &Key<E>) -> Item {
    HashMap::from([("pk".into(), s(&key.pk)), ("sk".into(), s(&key.sk))])
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn text(value: Option<AttributeValue>) -> Option<String> {
    match value {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

/// The SDK has retried by now. A request that is wrong in itself is our own mistake; everything else may pass, a missing
/// permission and an expired credential included: whoever holds an event waits rather than gives it up.
fn failed<E, R>(error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: Into<Cause>,
{
    const MISTAKES: [&str; 3] =
        ["ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"];
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match code {
        Some(code) if MISTAKES.contains(&code) => Error::internal("the table refused a request", error),
        _ => Error::unavailable("table", error),
    }
}

/// What `prime` looks for.
#[derive(serde::Serialize, serde::Deserialize)]
struct Nothing {}

impl Row for Nothing {
    const KIND: &'static str = "nothing";

    fn key(&self) -> Key<Self> {
        Key::of("-", "-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{EventId, TenantId},
        key,
        live::{Channel, Entry},
    };

    #[tokio::test]
    async fn more_rows_than_a_request_takes_are_found_and_none_of_those_that_lack() {
        let (table, tenant) = (crate::testing::table().await, TenantId::new());
        let channel = Channel::Tenant;
        for number in 1..=230 {
            let event = EventId::new();
            let entry = Entry { tenant, channel: channel.clone(), number, event, at: Timestamp::now() };
            table.put(&entry).await.unwrap();
        }

        let keys: Vec<_> = (1..=240).map(|number| key::live_entry(tenant, &channel, number)).collect();
        let mut found: Vec<u64> =
            table.find_all(&keys).await.unwrap().iter().map(|entry: &Entry| entry.number).collect();

        found.sort_unstable();
        assert_eq!(found, (1..=230).collect::<Vec<_>>());
        assert!(table.find_all::<Entry>(&[]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nothing_lies_between_an_end_and_the_beginning_behind_it_and_dynamodb_is_not_asked() {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let meter = asked.clone();
        let count = move |_, _: &ConsumedCapacity| {
            meter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        let (table, tenant) = (crate::testing::table().await.metered(std::sync::Arc::new(count)), TenantId::new());
        let (early, late) = (jiff::civil::date(2026, 11, 1), jiff::civil::date(2026, 11, 2));
        let moment = |at| key::runs_by_time(tenant, "1", at, "");
        let asked = || asked.load(std::sync::atomic::Ordering::Relaxed);

        assert!(table.list_all(&key::run_days(tenant, late, early)).await.unwrap().is_empty());
        let (from, to) = (moment(Timestamp::MAX), moment(Timestamp::UNIX_EPOCH));
        assert!(table.list_index_newest(&from, &to, None, 25).await.unwrap().is_empty());
        assert_eq!(asked(), 0);

        assert!(table.list_all(&key::run_days(tenant, early, early)).await.unwrap().is_empty());
        assert!(table.list_index_newest(&to, &from, None, 25).await.unwrap().is_empty());
        assert_eq!(asked(), 2);
    }
}
