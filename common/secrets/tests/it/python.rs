//! Python beside us: `cryptography`'s Fernet, and moto, an emulator of AWS, that ends when this process does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use pursight_secrets::{SealedStore, Secret};

use crate::world::{Database, Keys, new_key, setting};

const OPEN: &str = "import sys; from cryptography.fernet import Fernet; \
    key, token = sys.stdin.read().split(); print(Fernet(key).decrypt(token).decode())";
const SEAL: &str = "import sys; from cryptography.fernet import Fernet; \
    key, plain = sys.stdin.read().split('\\n', 1); print(Fernet(key).encrypt(plain.encode()).decode())";
const MOTO: &str = "import sys; from moto.server import ThreadedMotoServer; \
    server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False); server.start(); \
    print('%s:%d' % server.get_host_and_port(), flush=True); sys.stdin.read(); server.stop()";

fn start(program: &str) -> Child {
    let mut python = Command::new(setting("PURSIGHT_TEST_PYTHON"));
    python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    python.spawn().expect("PURSIGHT_TEST_PYTHON starts")
}

fn run(program: &str, input: &str) -> String {
    let mut child = start(program);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "python failed; has it moto[server] and cryptography?");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Address of one emulator for all tests. It ends when its input is closed, so it cannot outlive us.
pub fn moto() -> &'static str {
    static SERVER: OnceLock<(Child, String)> = OnceLock::new();
    let (_, address) = SERVER.get_or_init(|| {
        let mut child = start(MOTO);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(':'), "moto did not start; has PURSIGHT_TEST_PYTHON moto[server]?");
        (child, format!("http://{}", line.trim()))
    });
    address
}

#[tokio::test]
async fn pythons_fernet_opens_our_tokens_and_we_open_its() {
    let (database, keys, key) = (Database::new().await, Keys::new(), new_key());
    SealedStore::migrate(&database.pool).await.unwrap();
    let store = SealedStore::new(database.pool.clone(), keys.ring(&[&key]));
    store.put("acme", "orders", &Secret::new("pä\"ss\n1".to_owned())).await.unwrap();
    let token: String =
        sqlx::query_scalar("SELECT token FROM pursight_secret.secret").fetch_one(&database.pool).await.unwrap();
    let opened: serde_json::Value = serde_json::from_str(&run(OPEN, &format!("{key}\n{token}"))).unwrap();
    assert_eq!(opened, serde_json::json!({"tenant": "acme", "id": "orders", "version": "1", "value": "pä\"ss\n1"}));

    let plain = serde_json::json!({"tenant": "acme", "id": "theirs", "version": "1", "value": "s3cret"});
    let theirs = run(SEAL, &format!("{key}\n{plain}"));
    let insert =
        "INSERT INTO pursight_secret.secret (tenant_id, secret_id, version, token) VALUES ('acme', 'theirs', 1, $1)";
    sqlx::query(insert).bind(theirs).execute(&database.pool).await.unwrap();
    assert_eq!(store.get("acme", "theirs", None).await.unwrap().expose(), "s3cret");
    database.remove().await;
}
