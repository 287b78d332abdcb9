//! Fake customers' servers that know the password and put it into everything that they say: into the text, the detail and
//! the hint of an error, into its code, or into a notice before it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::Result;

/// How the fake tells the password.
#[derive(Clone, Copy)]
pub enum Telling {
    /// In the texts of the error.
    Text,
    /// In the place of the error's code.
    Code,
    /// In a notice, before it hangs up.
    Notice,
}

/// Starts one; returns its port. It serves until the test ends.
pub fn serve(secret: &str, telling: Telling) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let secret = secret.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up early has heard enough.
            let _ = talk(stream, &secret, telling);
        }
    });
    Ok(port)
}

fn talk(mut stream: TcpStream, secret: &str, telling: Telling) -> Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut rest = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4).min(10_000)];
        stream.read_exact(&mut rest)?;
        if rest == 80_877_103_u32.to_be_bytes() {
            // The request for TLS.
            stream.write_all(b"N")?;
            continue;
        }
        let text = format!("password authentication failed: \"{secret}\" is wrong");
        let (kind, code) = match telling {
            Telling::Text => (b'E', "28P01"),
            Telling::Code => (b'E', secret),
            Telling::Notice => (b'N', "01000"),
        };
        let fields =
            [('S', "FATAL"), ('V', "FATAL"), ('C', code), ('M', &text), ('D', &text), ('H', &text), ('R', &text)];
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend([&[name as u8], value.as_bytes(), &[0]].concat());
        }
        body.push(0);
        stream.write_all(&[kind])?;
        stream.write_all(&u32::try_from(body.len() + 4)?.to_be_bytes())?;
        stream.write_all(&body)?;
        return Ok(());
    }
}
