//! A real Redis for the tests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::outside::{say, variable};
use crate::service::{Service, free_port, run_folder};

const GIVEN: &str = "HUBFERRY_TEST_REDIS";
const PATIENCE: Duration = Duration::from_secs(10);

/// A Redis: the given one, or one of ours that ends when this is dropped.
pub(crate) struct Redis {
    pub(crate) url: String,
    _service: Option<Service>,
}

pub(crate) fn is_given() -> bool {
    variable(GIVEN).is_some()
}

impl Redis {
    pub(crate) fn start(target: &Path) -> Result<Redis> {
        if let Some(url) = variable(GIVEN) {
            say(&format!("redis: the one of {GIVEN}"));
            return Ok(Redis {
                url,
                _service: None,
            });
        }
        let port = free_port()?;
        let folder = run_folder(target, "redis")?;
        let mut program = Command::new("redis-server");
        program
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&folder);
        let service = Service::start("redis", &program, &folder.join("log"), "")?;
        service.wait_until(PATIENCE, || pings(port))?;
        say(&format!("redis: redis-server on port {port}"));
        Ok(Redis {
            url: format!("redis://127.0.0.1:{port}"),
            _service: Some(service),
        })
    }
}

fn pings(port: u16) -> bool {
    let exchange = || -> std::io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    exchange().is_ok_and(|answer| &answer == b"+PONG")
}
