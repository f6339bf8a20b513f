//! Lists: `?limit=20&cursor=…` → `{"data":[…],"next_cursor":…,"has_more":…}`, newest first.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which part of a list is asked for. Flatten it into a list's own parameters.
#[derive(Clone, Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many, 1 to 200 (default 20).
    #[garde(inner(range(min = 1, max = 200)))]
    #[serde(default, deserialize_with = "number")]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[garde(skip)]
    #[serde(default)]
    pub cursor: Option<String>,
}

/// Flattened fields of a query string arrive as text.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|t| t.parse().map_err(|_| serde::de::Error::custom("limit must be a number"))).transpose()
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    id: Uuid,
}

impl Page {
    pub fn limit(&self) -> i64 {
        self.limit.unwrap_or(20)
    }

    /// One more than the page, to know whether there is more.
    pub fn fetch(&self) -> i64 {
        self.limit() + 1
    }

    /// The id that the page before ended with.
    pub fn before(&self) -> Result<Option<Uuid>> {
        Ok(self.read::<Cursor>()?.map(|cursor| cursor.id))
    }

    /// The name that the page before ended with, of a list that goes by names.
    pub fn after_name(&self) -> Result<Option<String>> {
        Ok(self.read::<NameCursor>()?.map(|cursor| cursor.name))
    }

    /// How many came before, of a list whose order can change at any time.
    pub fn offset(&self) -> Result<u32> {
        Ok(self.read::<OffsetCursor>()?.map_or(0, |cursor| cursor.offset))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let wrong = || Error::field("cursor", "cursor", "The cursor cannot be read; take next_cursor as it was given.");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| wrong())
    }
}

/// Of a list that goes by names.
#[derive(Serialize, Deserialize)]
struct NameCursor {
    name: String,
}

/// Of a list whose order can change at any time.
#[derive(Serialize, Deserialize)]
struct OffsetCursor {
    offset: u32,
}

/// Any of several words: `?status=degraded,offline`.
#[derive(Clone, Debug)]
pub struct AnyOf<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split(',')
            .map(|word| T::deserialize(word.to_owned().into_deserializer()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// `key` or `key=value`, as lists are filtered by labels.
pub fn label_filter(text: String) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text, None),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    /// Hand it back as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> List<T> {
    /// From rows fetched with [`Page::fetch`], newest first.
    pub fn new(data: Vec<T>, page: &Page, id: impl Fn(&T) -> Uuid) -> Self {
        Self::cut(data, page, |last| Cursor { id: id(last) })
    }

    /// From rows in the order of their names, fetched with [`Page::fetch`] after [`Page::after_name`].
    pub fn by_name(data: Vec<T>, page: &Page, name: impl Fn(&T) -> &str) -> Self {
        Self::cut(data, page, |last| NameCursor { name: name(last).to_owned() })
    }

    /// From rows fetched with [`Page::fetch`] from [`Page::offset`] on.
    pub fn by_offset(data: Vec<T>, page: &Page) -> Result<Self> {
        let next = page.offset()?.saturating_add(u32::try_from(page.limit()).unwrap_or(u32::MAX));
        Ok(Self::cut(data, page, |_| OffsetCursor { offset: next }))
    }

    fn cut<C: Serialize>(mut data: Vec<T>, page: &Page, cursor: impl Fn(&T) -> C) -> Self {
        let limit = page.limit() as usize;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next_cursor = data.last().filter(|_| has_more).map(|last| {
            let json = serde_json::to_vec(&cursor(last)).unwrap_or_default();
            URL_SAFE_NO_PAD.encode(json)
        });
        Self { data, next_cursor, has_more }
    }

    /// Everything at once.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> List<U> {
        List { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor, has_more: self.has_more }
    }
}
