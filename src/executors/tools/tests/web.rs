//! Pages and requests, with a server in the test's own process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};

use super::*;
use crate::events::run::Outcome;

/// Answers what its paths say, on an address of its own.
struct Server {
    address: String,
}

impl Server {
    fn on(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || drop(answer_to(stream)));
            }
        });
        Self { address }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }
}

fn answer_to(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        head.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let html = "content-type: text/html; charset=utf-8\r\n".to_owned();
    let (status, headers, body) = match path {
        "/page" => ("200 OK", html, b"<title>T</title><p>Hello <b>you</b>".to_vec()),
        "/json" => ("200 OK", "content-type: application/json\r\n".to_owned(), b"{\"a\": 1}".to_vec()),
        "/image" => ("200 OK", "content-type: image/png\r\n".to_owned(), b"\x89PNG\0".to_vec()),
        "/echo" => ("201 Created", String::new(), [head.as_bytes(), &body].concat()),
        "/to" => ("302 Found", format!("location: {query}\r\n"), Vec::new()),
        "/loop" => ("302 Found", "location: /loop\r\n".to_owned(), Vec::new()),
        "/gone" => ("404 Not Found", String::new(), b"no such page".to_vec()),
        "/busy" => ("503 Service Unavailable", String::new(), Vec::new()),
        "/big" => ("200 OK", String::new(), vec![b'x'; 6 * 1024 * 1024]),
        "/hang_up" => return Ok(()),
        _ => ("500 Internal Server Error", String::new(), Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n")?;
    stream.write_all(&body)
}

/// A bench whose tools may ask the test's own server.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.private_addresses = true;
    bench
}

#[tokio::test]
async fn pages_are_fetched_as_text() {
    let (bench, server) = (bench(), Server::on("127.0.0.1"));
    let page = bench.good("fetch", json!({"url": server.at("/page")})).await;
    assert_eq!((&page["text"], &page["status"]), (&json!("T\n\nHello you"), &json!(200)));
    assert_eq!(bench.good("fetch", json!({"url": server.at("/json")})).await["text"], "{\"a\": 1}");
    let image = bench.good("fetch", json!({"url": server.at("/image")})).await;
    assert_eq!(
        (&image["binary"], &image["bytes"], &image["type"]),
        (&json!(true), &json!(5), &json!("image/png"))
    );
    let there = bench.good("fetch", json!({"url": server.at("/to?/page")})).await;
    assert_eq!(there["url"], server.at("/page"));
    let big = bench.good("fetch", json!({"url": server.at("/big")})).await;
    assert!(big["text"].as_str().unwrap().len() < 100_000 && big["cut"].is_string());
    for (path, code, class) in [
        ("/gone", Code::ToolAnswer, Class::Validation),
        ("/busy", Code::ToolAnswerLater, Class::Transient),
        ("/loop", Code::ToolRedirects, Class::Validation),
        ("/to?file:///etc/passwd", Code::ToolAddress, Class::Validation),
        ("/hang_up", Code::ToolUnreachable, Class::Transient),
    ] {
        let failure = bench.refused("fetch", json!({"url": server.at(path)})).await;
        assert_eq!((failure.code, failure.class), (code, class), "{path}: {failure}");
    }
    for url in ["file:///etc/passwd", "gopher://localhost/", "data:text/plain,x"] {
        assert_eq!(bench.refused("fetch", json!({"url": url})).await.code, Code::ToolAddress, "{url}");
    }
    assert_eq!(bench.refused("fetch", json!({"url": "no address"})).await.code, Code::ToolInput);
}

#[tokio::test]
async fn requests_are_sent_as_they_are_wanted() {
    let (bench, server) = (bench(), Server::on("127.0.0.1"));
    let with = json!({"url": server.at("/echo"), "method": "POST", "headers": {"X-Own": "yes"}, "body": 0});
    let mut task = bench.task("http", &with);
    // Numbers keep their digits.
    let text = with.to_string().replace("\"body\":0", "\"body\":{\"a\":[12345678901234567890123]}");
    task.work.with = Json::read(&text).unwrap();
    let answer = bench.make(task).await.unwrap().output.value();
    let echo = answer["body"].as_str().unwrap();
    assert!(echo.starts_with("POST /echo") && echo.ends_with("{\"a\":[12345678901234567890123]}"), "{echo}");
    for header in
        ["x-own: yes", "content-type: application/json", "idempotency-key: key-", "user-agent: reenact/"]
    {
        assert!(echo.contains(header), "{header}: {echo}");
    }
    assert_eq!((&answer["status"], &answer["headers"]["connection"]), (&json!(201), &json!("close")));
    let got = bench.good("http", json!({"url": server.at("/echo")})).await;
    assert!(!got["body"].as_str().unwrap().contains("idempotency-key"), "{got}");
    assert_eq!(bench.good("http", json!({"url": server.at("/gone")})).await["body"], "no such page");
    let not_followed = bench.good("http", json!({"url": server.at("/to?/page"), "method": "POST"})).await;
    assert_eq!(not_followed["status"], 302);
    let lost = bench.refused("http", json!({"url": server.at("/hang_up"), "method": "POST"})).await;
    assert_eq!((lost.code, lost.outcome), (Code::ToolUnreachable, Outcome::Unknown), "it may have been done");
    let lost = bench.refused("http", json!({"url": server.at("/hang_up")})).await;
    assert_eq!(lost.outcome, Outcome::Known, "looking does nothing");
    let bad = json!({"url": server.at("/echo"), "headers": {"bad header": "x"}});
    assert_eq!(bench.refused("http", bad).await.code, Code::ToolInput);
    let large = json!({"url": server.at("/echo"), "method": "PUT", "body": "x".repeat(2 * 1024 * 1024)});
    assert_eq!(bench.refused("http", large).await.code, Code::ToolTooMuch);
}

#[tokio::test]
async fn what_is_not_public_is_not_asked() {
    let (bench, server) = (Bench::new(), Server::on("127.0.0.1"));
    let port = server.address.rsplit_once(':').unwrap().1.to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0x7f.1",
        "2130706433",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
    ] {
        let failure = bench.refused("fetch", json!({"url": format!("http://{host}:{port}/page")})).await;
        assert_eq!(
            (failure.code, failure.class),
            (Code::ToolAddress, Class::Validation),
            "{host}: {failure}"
        );
    }
}

/// As if this one address were public.
fn only_one(address: IpAddr) -> bool {
    address.to_string() == "127.0.0.1"
}

#[tokio::test]
async fn a_redirect_leads_to_no_address_that_is_not_public() {
    let (public, other) = (Server::on("127.0.0.1"), Server::on("127.0.0.2"));
    let bench = Bench::new();
    let web = web::Web::of(Some(only_one));
    let fetch = async |url: String| web.fetch(&bench.task("fetch", &json!({"url": url}))).await;
    assert_eq!(fetch(public.at("/to?/page")).await.unwrap()["status"], 200);
    let failure = fetch(public.at(&format!("/to?{}", other.at("/page")))).await.unwrap_err();
    assert_eq!(failure.code, Code::ToolAddress, "{failure}");
    let by_name = other.at("/page").replace("127.0.0.2", "metadata.invalid");
    let failure = fetch(public.at(&format!("/to?{by_name}"))).await.unwrap_err();
    assert!([Code::ToolAddress, Code::ToolUnreachable].contains(&failure.code), "{failure}");
}

#[tokio::test]
async fn what_was_meant_for_one_is_not_told_to_another() {
    let (bench, first, second) = (bench(), Server::on("127.0.0.1"), Server::on("127.0.0.2"));
    let asked =
        |to: String| json!({"url": first.at(&format!("/to?{to}")), "headers": {"Authorization": "Bearer x"}});
    let same = bench.good("http", asked(first.at("/echo"))).await;
    assert!(same["body"].as_str().unwrap().contains("Bearer x"), "{same}");
    let other = bench.good("http", asked(second.at("/echo"))).await;
    assert!(!other["body"].as_str().unwrap().contains("Bearer x"), "{other}");
}
