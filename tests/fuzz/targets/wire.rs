//! The wire of a customer's server: any bytes after each of our requests, from the login to the rows, through the watch
//! and the driver, and every error as a problem in our own words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pursight_connectors::fuzzing::{Watched, login, passes};
use pursight_connectors::postgres::statement_problem;
use pursight_fuzz::server::{Script, drive};
use pursight_fuzz::{justified, parts, within};
use tokio_postgres::{Config, Error, NoTls};

fuzz_target!(|input: &[u8]| {
    let pieces = parts::<6>(input, 2);
    let whole = pieces.concat();
    let judged = passes(&whole, whole.len());
    assert!([1, 2, 5, 9].iter().all(|size| passes(&whole, *size) == judged), "pieces change the judgement");
    let script = Script::default();
    pieces.iter().for_each(|piece| script.answer(piece.to_vec()));
    within(justified(64 * input.len()), || drive(&script, converse(script.clone())));
});

async fn converse(script: Script) {
    let mut config = Config::new();
    config.user("u").dbname("d").password("canary-7c1a").ssl_mode(tokio_postgres::config::SslMode::Disable);
    match config.connect_raw(Watched::new(script), NoTls).await {
        Err(error) => sound(&login(&error)),
        Ok((client, connection)) => {
            let ended = tokio::join!(
                async {
                    ask(&client).await.inspect_err(|error| sound(&statement_problem(error, "fuzzing"))).ok();
                    drop(client);
                },
                connection
            );
            ended.1.inspect_err(|error| sound(&statement_problem(error, "fuzzing"))).ok();
        }
    }
}

async fn ask(client: &tokio_postgres::Client) -> Result<(), Error> {
    let statement = client.prepare("SELECT 1").await?;
    for row in client.query(&statement, &[]).await? {
        for column in 0..row.len() {
            let _ = row.try_get::<_, Option<String>>(column);
            let _ = row.try_get::<_, Option<i64>>(column);
            let _ = row.try_get::<_, Vec<Option<&str>>>(column);
        }
    }
    client.batch_execute("SELECT 1").await
}

/// A problem is whole, in our words, and holds no secret and no line of the server's.
fn sound(problem: &pursight_schemas::Problem) {
    assert!(!problem.code.is_empty() && !problem.message.is_empty() && problem.remedy.is_some(), "{problem:?}");
    let text = format!("{problem:?}");
    assert!(text.len() < 4096 && !text.contains("canary-7c1a"), "{text}");
}
