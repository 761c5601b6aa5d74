//! A server that follows a script, one action per request, and keeps what it was sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What to do with the next request.
pub(crate) enum Action {
    /// Answer with a status, header lines and a body.
    Answer(u16, Vec<String>, String),
    /// Close the connection without an answer.
    Close,
    /// Promise more body than is sent, then close.
    CutOff,
    /// Never answer.
    Hang,
}

impl Action {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer(status, Vec::new(), body.to_owned())
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::Answer(status, vec![format!("location: {location}")], String::new())
    }
}

/// What answers requests; none closes the connection.
type Answers = Arc<Mutex<dyn FnMut(&str) -> Option<Action> + Send>>;

/// The server; it ends when dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    /// Answers in the order of the script.
    pub(crate) async fn start(script: Vec<Action>) -> Self {
        let mut script = VecDeque::from(script);
        Self::answering(move |_| script.pop_front()).await
    }

    /// Answers by what was asked: method, path and headers as [`Stub::seen`] shows them.
    pub(crate) async fn answering(
        answer: impl FnMut(&str) -> Option<Action> + Send + 'static,
    ) -> Self {
        let script: Answers = Arc::new(Mutex::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let kept = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self {
            address,
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far: head (sorted headers, tokens and host masked) and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Answers, seen: Arc<Mutex<Vec<String>>>) {
    let mut buffer = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut buffer).await {
        seen.lock().unwrap().push(request.clone());
        let action = (script.lock().unwrap())(&request);
        match action {
            Some(Action::Answer(status, lines, body)) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for line in lines {
                    head.push_str(&line);
                    head.push_str("\r\n");
                }
                let answer = format!("{head}\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Some(Action::CutOff) => {
                let answer = "HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{\"results\":[";
                stream.write_all(answer.as_bytes()).await.unwrap();
                return;
            }
            Some(Action::Hang) => std::future::pending::<()>().await,
            Some(Action::Close) | None => return,
        }
    }
}

async fn next_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some((request, used)) = parsed(buffer) {
            buffer.drain(..used);
            return Some(request);
        }
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}

fn parsed(buffer: &[u8]) -> Option<(String, usize)> {
    let text = std::str::from_utf8(buffer).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let first = lines.next()?;
    let mut headers: Vec<String> = lines.map(with_lower_name).collect();
    headers.sort();
    let length = headers
        .iter()
        .find_map(|h| h.strip_prefix("content-length: "))
        .map_or(0, |n| n.parse::<usize>().unwrap());
    let start = head.len() + 4;
    let body = text.get(start..start + length)?;
    let shown: Vec<String> = headers
        .into_iter()
        .filter(|h| !h.starts_with("host:") && !h.starts_with("content-length:"))
        .collect();
    Some((
        format!("{first}\n{}\n\n{body}", shown.join("\n")),
        start + length,
    ))
}

fn with_lower_name(line: &str) -> String {
    let (name, value) = line.split_once(':').unwrap();
    format!("{}:{value}", name.to_ascii_lowercase())
}
