//! Details of many objects, page by page, at a pace that the server can bear.
//! Owns the order of pages, the bisection of failing ones and the pauses between them; must not know what was there
//! before. No transaction is ever open between two pages. A future of `next` that is dropped loses nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pursight_schemas::Problem;

use super::details::{Class, Details, details};
use super::facts::facts;
use super::pace::Pace;
use super::rows::Rows;
use super::types::{CatalogObject, Listed};

/// Objects in a row that could not be read, after which the fault is the server's and not theirs.
const HOPELESS: usize = 100;
/// Pages between two looks at the server's sessions.
const LOOK: u64 = 8;

/// One object of the listing, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageItem {
    /// With its details.
    Object(Box<CatalogObject>),
    /// It is there, its details could not be read.
    Unreadable(Listed, Problem),
    /// It went between the listing and the page; the next run will see why.
    Vanished(Listed),
}

/// A reading of details under way.
pub struct Pages<'a> {
    rows: &'a dyn Rows,
    catalog: String,
    waiting: VecDeque<(Class, VecDeque<Listed>)>,
    /// Halves of failed pages, the next one last.
    halves: Vec<(Class, Vec<Listed>)>,
    pace: Pace,
    ended: Instant,
    failures: usize,
    pages: u64,
    queries: u64,
    rows_read: u64,
}

impl<'a> Pages<'a> {
    /// Reads these objects of a listing (all, or those that an earlier attempt left), in order of kind and native id.
    pub fn new(rows: &'a dyn Rows, catalog: &str, objects: Vec<Listed>, pace: Pace) -> Self {
        let mut objects: Vec<_> =
            objects.into_iter().map(|object| (Class::of(object.kind), oid(&object), object)).collect();
        objects.sort_by_key(|(class, oid, _)| (*class, *oid));
        let mut waiting: VecDeque<(Class, VecDeque<Listed>)> = VecDeque::new();
        for (class, _, object) in objects {
            match waiting.back_mut().filter(|(last, _)| *last == class) {
                Some((_, list)) => list.push_back(object),
                None => waiting.push_back((class, VecDeque::from([object]))),
            }
        }
        let (catalog, ended) = (catalog.to_owned(), Instant::now());
        Self { rows, catalog, waiting, halves: vec![], pace, ended, failures: 0, pages: 0, queries: 0, rows_read: 0 }
    }

    /// The next page that brought something, or none when all objects were read. An error means that the session is of
    /// no more use, or that nothing can be read with it.
    pub async fn next(&mut self) -> Result<Option<Vec<PageItem>>, Problem> {
        while let Some((class, page)) = self.peek() {
            let oids: Vec<u32> = page.iter().map(oid).collect();
            self.rest().await;
            let begun = Instant::now();
            let answer = details(self.rows, &self.catalog, class, &oids).await;
            self.ended = Instant::now();
            self.queries += 1;
            let took = self.ended - begun;
            let page = self.take(page.len());
            match answer {
                Ok(found) => return Ok(Some(self.sort(page, found, took).await)),
                Err(problem) if !is_local(&problem) => return Err(problem),
                Err(problem) => {
                    self.pace.failed(took);
                    if let Some(item) = self.split(class, page, problem)? {
                        return Ok(Some(vec![item]));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Statements sent.
    pub fn queries(&self) -> u64 {
        self.queries
    }

    /// Rows received.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Objects not read yet.
    pub fn left(&self) -> usize {
        self.halves.iter().map(|(_, list)| list.len()).sum::<usize>()
            + self.waiting.iter().map(|(_, list)| list.len()).sum::<usize>()
    }

    fn peek(&self) -> Option<(Class, Vec<Listed>)> {
        if let Some((class, half)) = self.halves.last() {
            return Some((*class, half.clone()));
        }
        let (class, list) = self.waiting.front()?;
        Some((*class, list.iter().take(self.pace.size()).cloned().collect()))
    }

    fn take(&mut self, count: usize) -> Vec<Listed> {
        if let Some((_, half)) = self.halves.pop() {
            return half;
        }
        let Some((_, list)) = self.waiting.front_mut() else { return Vec::new() };
        let page = list.drain(..count.min(list.len())).collect();
        if list.is_empty() {
            self.waiting.pop_front();
        }
        page
    }

    async fn rest(&self) {
        let pause = self.pace.pause(self.ended.elapsed());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }

    async fn sort(&mut self, page: Vec<Listed>, mut found: Details, took: Duration) -> Vec<PageItem> {
        self.failures = 0;
        self.pages += 1;
        self.rows_read += found.rows as u64;
        let pressure = self.pages.is_multiple_of(LOOK) && self.pressed().await;
        self.pace.succeeded(took, found.rows, pressure);
        let item = |object: Listed| match found.objects.remove(&oid(&object)) {
            Some(details) => PageItem::Object(Box::new(details)),
            None => PageItem::Vanished(object),
        };
        page.into_iter().map(item).collect()
    }

    /// More than 80 % of the server's sessions are taken. Not knowing is no pressure.
    async fn pressed(&mut self) -> bool {
        self.queries += 1;
        let facts = facts(self.rows).await;
        facts.is_ok_and(|facts| facts.connections.used * 10 > facts.connections.max * 8)
    }

    fn split(&mut self, class: Class, mut page: Vec<Listed>, problem: Problem) -> Result<Option<PageItem>, Problem> {
        if page.len() > 1 {
            let second = page.split_off(page.len() / 2);
            self.halves.push((class, second));
            self.halves.push((class, page));
            return Ok(None);
        }
        self.failures += 1;
        if self.failures >= HOPELESS {
            return Err(problem);
        }
        Ok(page.pop().map(|object| PageItem::Unreadable(object, problem)))
    }
}

fn oid(object: &Listed) -> u32 {
    object.native_id.parse().unwrap_or_default()
}

/// Whether a refusal may be about one object of the page: not when the session broke (no SQLSTATE), nor when the server
/// is shutting down, full, or does not let us in.
fn is_local(problem: &Problem) -> bool {
    let Some(state) = problem.native_code.as_deref() else { return false };
    if state.len() != 5 || !state.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return false;
    }
    match state {
        "57014" | "53200" => true,
        _ => !["08", "28", "3D", "53", "57", "58"].iter().any(|class| state.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_about_one_object_is_bisected() {
        for (code, local) in [
            (Some("XX000"), true),
            (Some("55P03"), true),
            (Some("57014"), true),
            (Some("42501"), true),
            (Some("57P01"), false),
            (Some("53300"), false),
            (Some("08006"), false),
            (Some("reset"), false),
            (Some("closed"), false),
            (None, false),
        ] {
            let problem = Problem { native_code: code.map(str::to_owned), ..Problem::default() };
            assert_eq!(is_local(&problem), local, "{code:?}");
        }
    }
}
