//! The admin endpoint of a worker.

use anyhow::Result;

/// Where a worker answers probes.
#[derive(Debug)]
pub struct Admin {
    http: reqwest::Client,
    address: String,
}

impl Admin {
    pub(crate) fn at(address: String) -> Result<Admin> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Admin { http, address })
    }

    /// Status and text of the answer under this path; a failure as text.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let asked = self
            .http
            .get(format!("http://{}{path}", self.address))
            .send();
        let answer = asked.await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        Ok((status, body))
    }
}
