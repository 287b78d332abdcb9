//! The shortest whole path: a source is created through the command line and read back.

use anyhow::Result;
use pursight_schemas::{Event, Topic};
use pursight_tests::{Customer, System};

#[test]
fn a_source_is_created_and_shown() -> Result<()> {
    let system = System::start()?;
    let customer = Customer::create()?;
    let port = customer.port.to_string();
    let words = customer.words("orders", &port);
    let answer = system.call_with(&[words.as_slice(), &["--json"]].concat(), &customer.password)?;
    assert_eq!(answer.code, 0, "{answer:?}");

    let events = system.kafka.events(Topic::Source)?;
    let created: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::DataSourceCreated(created) = event { Some(created) } else { None })
        .collect();
    assert_eq!(created.len(), 1);
    assert_eq!((created[0].spec.name.as_str(), created[0].meta.sequence), ("orders", 1));
    let reference = created[0].spec.credential.as_ref().expect("a reference to the password").uri.clone();
    assert!(reference.starts_with(&format!("sealed://{}/", system.tenant)), "{reference}");

    let shown = system.must(&["source", "show", "orders", "--json"])?.json()?;
    assert_eq!(shown["name"], "orders");
    assert_eq!(shown["version"], 1);
    Ok(())
}
