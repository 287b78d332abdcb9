//! Rows of the catalog: any values, of any types, in the shapes that our statements ask for, put together to listings,
//! objects, fingerprints and figures. Whatever a server sends, an object stays below its caps.
#![no_main]

use std::cell::RefCell;
use std::sync::Mutex;

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use pursight_connectors::fuzzing::Watched;
use pursight_connectors::postgres::catalog::{self, CatalogObject, Listed, Pace, PageItem, Pages, Rows};
use pursight_connectors::postgres::{statement_problem, statistics};
use pursight_fuzz::server::{Script, drive, frame, let_in};
use pursight_fuzz::{justified, within};
use pursight_schemas::{ObjectKind, Problem, ScopeFilter, Strategy};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

const BOOL: u32 = 16;
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const TEXTS: u32 = 1009;

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let script = Script::default();
    // Texts may be blown up to the size of a frame, so what is justified does not depend on the input's length.
    within(justified(rest.len()) + 64 * 1024 * 1024, || drive(&script, read(&script, *choice, rest)));
});

async fn read(script: &Script, choice: u8, input: &[u8]) {
    script.answer(let_in());
    let mut config = Config::new();
    config.user("u").ssl_mode(tokio_postgres::config::SslMode::Disable);
    let (client, connection) = config.connect_raw(Watched::new(script.clone()), NoTls).await.expect("let in");
    let fake = Fake {
        client,
        script: script.clone(),
        input: Mutex::new(input.to_vec().into()),
        shape: Mutex::new(shape(choice)),
    };
    tokio::select! {
        () = asked(choice, &fake) => {}
        _ = connection => {}
    }
}

/// The columns that a statement of ours brings.
fn shape(choice: u8) -> &'static [u32] {
    match choice % 8 {
        0 => &[TEXT, BOOL, TEXTS, TEXTS, TEXT, TEXT, BOOL],
        1 => &[TEXT, INT4, BOOL, INT8, INT8],
        2 => &[TEXT, INT8, TEXT],
        3 => &[TEXT, TEXT, TEXT, OID, OID],
        4 => &[TEXT, TEXT, TEXT, OID, INT8, INT8],
        5 => &[TEXT, INT8, INT8, INT8, INT8, INT8, INT8],
        6 => &[OID, INT8],
        _ => &[TEXT, OID, INT4, TEXTS],
    }
}

async fn asked(choice: u8, fake: &Fake) {
    let scope = ScopeFilter::default();
    match choice % 8 {
        0 => drop(catalog::visibility(fake).await.map(|visibility| visibility.hash())),
        1 => drop(catalog::facts(fake).await),
        2 => drop(catalog::fingerprint(fake).await),
        3 => {
            if let Ok(listing) = catalog::listing(fake, &scope, 3).await {
                assert!(listing.objects.len() <= 3);
                let cut = |name: &str| name.len() <= 1024;
                assert!(listing.objects.iter().all(|object| cut(&object.name) && cut(&object.schema)));
            }
        }
        4 => drop(statistics::objects(fake, &scope).await),
        5 => drop(statistics::database(fake).await),
        6 => drop((statistics::exact_sizes(fake, &[1]).await, statistics::exact_rows(fake, 1).await)),
        _ => objects(fake).await,
    }
}

async fn objects(fake: &Fake) {
    let kinds = [ObjectKind::Table, ObjectKind::Routine, ObjectKind::Type];
    let listed = kinds.into_iter().zip(1..).map(|(kind, oid): (_, u32)| Listed {
        kind,
        schema: "s".into(),
        name: oid.to_string(),
        native_id: oid.to_string(),
        parent: None,
    });
    let pace = Pace::new(Strategy::Aggressive).without_pauses();
    let mut pages = Pages::new(fake, "d", listed.collect(), pace);
    while let Ok(Some(items)) = pages.next().await {
        for item in items {
            if let PageItem::Object(object) = item {
                bounded(&object);
            }
        }
    }
}

fn bounded(object: &CatalogObject) {
    assert!(object.name.len() <= 1024 && object.schema.len() <= 1024);
    assert!(object.columns.iter().all(|column| column.name.len() <= 1024));
    assert!(object.definition.as_ref().is_none_or(|text| text.len() <= 64 * 1024));
    let size = format!("{object:?}").len();
    assert!(size < 32 * 1024 * 1024, "an object of {size} bytes");
}

/// A session whose rows come from the fuzzer, through the wire.
struct Fake {
    client: Client,
    script: Script,
    input: Mutex<Input>,
    shape: Mutex<&'static [u32]>,
}

#[async_trait]
impl Rows for Fake {
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        let shape = match sql {
            _ if sql.contains("has_function_privilege('pg_control_system()'") => &[BOOL][..],
            _ if sql.contains("pg_control_system()") || sql.starts_with("SELECT current_database()") => &[TEXT],
            _ => *self.shape.lock().expect("unpoisoned"),
        };
        let (prepared, rows) = self.input.lock().expect("unpoisoned").answer(shape, params.len());
        self.script.answer(prepared);
        self.script.answer(rows);
        let refused = |error: tokio_postgres::Error| *statement_problem(&error, "fuzzing");
        let statement = self.client.prepare(sql).await.map_err(refused)?;
        // Parameters are ours; their types are the server's to say, so that they may be refused.
        self.client.query(&statement, params).await.map_err(refused)
    }
}

/// The fuzzer's bytes, and nothing but zeros behind them.
struct Input(RefCell<std::vec::IntoIter<u8>>);

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        Self(RefCell::new(bytes.into_iter()))
    }
}

impl Input {
    fn byte(&self) -> u8 {
        self.0.borrow_mut().next().unwrap_or_default()
    }

    /// What preparing and executing a statement are answered with.
    fn answer(&mut self, shape: &[u32], params: usize) -> (Vec<u8>, Vec<u8>) {
        // Types are the right ones nearly always.
        let right = |kind: u32| match self.byte() {
            255 => [BOOL, INT4, TEXT, TEXTS, 19, 18, 2249][usize::from(self.byte()) % 7],
            _ => kind,
        };
        let types: Vec<u32> = shape.iter().map(|kind| right(*kind)).collect();
        let parameter = match params {
            3 => vec![TEXTS, TEXTS, INT8],
            2 => vec![TEXTS, TEXTS],
            _ if shape == [OID, INT8] => vec![1028],
            _ => vec![1028; params],
        };
        let mut described = u16::try_from(parameter.len()).unwrap_or_default().to_be_bytes().to_vec();
        parameter.iter().for_each(|oid| described.extend(oid.to_be_bytes()));
        let mut columns = u16::try_from(types.len()).unwrap_or_default().to_be_bytes().to_vec();
        for oid in &types {
            columns.extend(b"c\0\0\0\0\0\0\0");
            columns.extend(oid.to_be_bytes());
            columns.extend([0; 8]);
        }
        let ready = frame(b'Z', b"I");
        let prepared = [frame(b'1', b""), frame(b't', &described), frame(b'T', &columns), ready.clone()].concat();
        let mut rows = frame(b'2', b"");
        for _ in 0..self.byte() % 24 {
            rows.extend(frame(b'D', &self.row(&types)));
        }
        rows.extend(frame(b'C', b"SELECT\0"));
        rows.extend(ready);
        (prepared, rows)
    }

    fn row(&self, types: &[u32]) -> Vec<u8> {
        let mut row = u16::try_from(types.len()).unwrap_or_default().to_be_bytes().to_vec();
        for kind in types {
            match self.value(*kind) {
                None => row.extend([255; 4]),
                Some(value) => {
                    row.extend(u32::try_from(value.len()).unwrap_or_default().to_be_bytes());
                    row.extend(value);
                }
            }
        }
        row
    }

    fn value(&self, kind: u32) -> Option<Vec<u8>> {
        match (self.byte(), kind) {
            (255, _) => None,
            (254, _) => Some((0..self.byte() % 16).map(|_| self.byte()).collect()),
            (_, BOOL) => Some(vec![self.byte() % 2]),
            (_, OID | INT4) => Some(vec![0, 0, 0, self.byte() % 4]),
            (_, INT8) => Some(vec![self.byte(), 0, 0, 0, 0, 0, 0, self.byte()]),
            (_, TEXTS) => Some(self.texts()),
            _ => Some(self.text()),
        }
    }

    /// An array in the binary form, right but for its values.
    fn texts(&self) -> Vec<u8> {
        let count = self.byte() % 20;
        let mut array = [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 25], [0, 0, 0, count], [0, 0, 0, 1]].concat();
        for _ in 0..count {
            if self.byte() == 255 {
                array.extend([255; 4]);
                continue;
            }
            let text = self.text();
            array.extend(u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
            array.extend(text);
        }
        array
    }

    fn text(&self) -> Vec<u8> {
        const WORDS: [&[u8]; 12] = [
            b"object",
            b"column",
            b"constraint",
            b"index",
            b"partition",
            b"TABLE",
            b"RANGE",
            b"RANGE (a)",
            b"p",
            b"{1,2}",
            b"N",
            b"1001",
        ];
        match self.byte() {
            choice @ 0..=99 => WORDS[usize::from(choice) % WORDS.len()].to_vec(),
            // Longer than any cap.
            250.. => vec![self.byte(); 30_000],
            length => (0..length % 12).map(|_| self.byte()).collect(),
        }
    }
}
