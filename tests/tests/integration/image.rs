//! The image that `make image` makes, and runs in nothing but itself: its user, a read-only root, its own libraries and roots.
//! It is packed from the programs under test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::harness::{Database, Programs, Relay, Said, have_program, repository};

/// An image, and what its programs are told.
struct Image {
    archive: PathBuf,
    _folder: tempfile::TempDir,
}

impl Image {
    fn relay() -> &'static Self {
        static RELAY: OnceLock<Image> = OnceLock::new();
        RELAY.get_or_init(|| Self::packed("relay"))
    }

    fn packed(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive.tar");
        pack(name, &archive);
        Self { archive, _folder: folder }
    }

    /// Its program with these arguments; `config` is at /config, for it to read.
    fn run(&self, config: &Path, variables: &[&str], arguments: &[&str]) -> Said {
        let mut run = Command::new(repository().join("tests/infra/contained.sh"));
        run.arg(&self.archive).arg("--at").arg(format!("/config={}", config.display()));
        for variable in variables {
            run.args(["--env", variable]);
        }
        Said::by(run.arg("--").args(arguments))
    }
}

fn pack(name: &str, archive: &Path) {
    let mut pack = Command::new(repository().join("infra/image.py"));
    let programs = Programs::built().executable(name).parent().unwrap();
    // That it is the same each time does not hang on how hard it is pressed.
    Said::by(pack.args(["pack", name]).arg(programs).arg(archive).env("LEVEL", "1")).ok();
}

/// Leaves a test, visibly, where its image cannot be made, or where it needs to be `contained` and cannot.
macro_rules! skip_unless_possible {
    ($contained:literal) => {
        if !have_program("dpkg-query") {
            eprintln!("SKIPPED: an image has Debian's or Ubuntu's libraries, and this is neither");
            return;
        }
        if $contained && !(is_root() && have_program("unshare") && have_program("jq")) {
            eprintln!("SKIPPED: a root of its own needs root, unshare and jq");
            return;
        }
    };
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// What Terraform puts where a relay reads it, for the clinic: with the target's authority, or the system's.
fn configuration(tls: &str) -> tempfile::TempDir {
    let (database, own) = (Database::shared(), Relay::shared().config());
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &Path, name: &str| {
        std::fs::copy(from, folder.path().join(name)).unwrap();
        std::fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(0o444)).unwrap();
    };
    let text = std::fs::read_to_string(&own).unwrap();
    let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("{name} = {{"))).unwrap().to_owned();
    // Of the two lines `tls`, the listener's comes first.
    let target = text.lines().rfind(|line| line.starts_with("tls = {")).unwrap();
    let text = text.replace(target, tls).replace(&line("password"), "password = { file = \"password\" }");
    std::fs::write(folder.path().join("relay.toml"), text).unwrap();
    for folder_inside in ["policies", "tls"] {
        std::fs::create_dir(folder.path().join(folder_inside)).unwrap();
    }
    for name in ["classification.toml", "policies/clinic.cedar", "tls/server.pem", "tls/server.key"] {
        copy(&own.with_file_name(name), name);
    }
    copy(Path::new(database.get("RELAY_PASSWORD_FILE")), "password");
    copy(&database.ca(), "target.pem");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn the_same_programs_make_the_same_archive_and_strangers_can_read_it() {
    skip_unless_possible!(false);
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("again.tar");
    pack("relay", &again);
    let archive = &Image::relay().archive;
    assert!(std::fs::read(archive).unwrap() == std::fs::read(&again).unwrap(), "the same programs, another archive");
    if !have_program("skopeo") {
        eprintln!("SKIPPED: there is no skopeo to read the archive (apt-get install skopeo)");
        return;
    }
    for transport in ["oci-archive", "docker-archive"] {
        let mut skopeo = Command::new("skopeo");
        let told =
            Said::by(skopeo.args(["inspect", "--config"]).arg(format!("{transport}:{}", archive.display()))).ok();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["config"]["User"], "10001:10001", "{told}");
        assert_eq!(told["config"]["Cmd"], serde_json::json!(["serve"]), "{told}");
        assert_eq!(told["config"]["Volumes"], serde_json::json!({ "/run/relay": {}, "/spool": {} }), "{told}");
    }
}

#[test]
fn in_nothing_but_its_image_the_relay_starts_reads_its_configuration_and_reaches_the_target() {
    skip_unless_possible!(true);
    let image = Image::relay();
    let pinned = configuration("tls = { mode = \"verify-full-with\", ca = \"target.pem\" }");
    let version = image.run(pinned.path(), &[], &["--version"]).ok();
    assert_eq!(version.trim(), format!("relay {}", env!("CARGO_PKG_VERSION")));
    let checked = image.run(pinned.path(), &[], &["policy", "check", "--config", "/config/relay.toml"]).ok();
    assert!(checked.starts_with("accepted: policy set "), "{checked}");
    let scanned = image.run(pinned.path(), &[], &["scan", "clinic", "--config", "/config/relay.toml"]).ok();
    assert!(scanned.contains("clinic.patients"), "the target was reached over TLS:\n{scanned}");

    // What it does when it is told nothing else, and nothing at all.
    let empty = image.run(pinned.path(), &[], &[]).refused();
    assert!(empty.contains("did not start: environment variable") && empty.contains("missing or empty"), "{empty}");

    // Now against the image's own authorities, to whom the throwaway one is a stranger.
    let system = configuration("tls = { mode = \"verify-full\" }");
    let refused = image.run(system.path(), &[], &["scan", "clinic", "--config", "/config/relay.toml"]).refused();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

/// What identity providers and the console are verified against is found by another library than what targets are.
#[test]
fn in_nothing_but_its_image_the_relay_finds_the_authorities_of_the_web() {
    skip_unless_possible!(true);
    let (image, config) = (Image::relay(), configuration("tls = { mode = \"verify-full\" }"));
    let own = Relay::shared().ca();
    std::fs::copy(&own, config.path().join("console.pem")).unwrap();
    std::fs::set_permissions(config.path().join("console.pem"), PermissionsExt::from_mode(0o444)).unwrap();
    let console = Console::start(&own);
    let asked = |variables: &[&str]| image.run(config.path(), variables, &["approvals", "--console", &console.url]);

    // It has authorities, and the console's is none of them: nothing is asked of it.
    let stranger = asked(&[]).refused();
    assert!(console.tells("UnknownCA"), "{stranger} {:?}", console.told);
    // Without any it does not come that far.
    let without = asked(&["SSL_CERT_FILE=/nowhere"]).refused();
    assert!(!without.contains("sending request"), "{without}");
    // One that it is told of is asked; what that answers is no console's.
    let known = asked(&["SSL_CERT_FILE=/config/console.pem"]).refused();
    assert!(console.tells(ASKED), "{known} {:?}", console.told);
}

/// HTTPS at localhost, with a certificate below the authority of a relay's data folder; it answers 404.
struct Console {
    url: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Console {
    /// It ends with this process.
    fn start(ca: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(ca.with_file_name("server.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(ca.with_file_name("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                let mut tls = Stream::new(&mut connection, &mut stream);
                let told = match tls.read(&mut [0; 4096]) {
                    Ok(_) => ASKED.to_owned(),
                    Err(error) => error.to_string(),
                };
                tell.lock().unwrap().push(told);
                let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _gone = tls.write_all(answer);
            }
        });
        Self { url, told }
    }

    /// Whether a connection became this, or does within seconds.
    fn tells(&self, what: &str) -> bool {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            self.told.lock().unwrap().iter().any(|told| told.contains(what))
        })
    }
}

const ASKED: &str = "asked";
