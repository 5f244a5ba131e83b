//! The name of who wants something, where nobody says so.

/// The name of who calls this, as the operating system knows them.
pub fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_account = accounts.lines().find_map(|line| account_name(line, uid)).map(str::to_owned);
    // Accounts that a directory service keeps are not in that file.
    let of_session = || std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok();
    of_account.or_else(of_session).unwrap_or_else(|| format!("uid {uid}"))
}

/// The name in a line of `passwd(5)`, `name:password:uid:…`, if it is of that user.
fn account_name(line: &str, uid: u32) -> Option<&str> {
    let mut fields = line.split(':');
    let (name, id) = (fields.next()?, fields.nth(1)?);
    (id.parse() == Ok(uid) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::account_name;

    #[test]
    fn an_account_is_found_by_its_number_only() {
        assert_eq!(account_name("ada:x:1000:100:0:/home/ada:/bin/sh", 1000), Some("ada"));
        assert_eq!(account_name("ada:1000:1:100:0:/home/ada:/bin/sh", 1000), None);
        assert_eq!(account_name("# comment", 0), None);
    }
}
