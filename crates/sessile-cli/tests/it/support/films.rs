//! Films made by ffmpeg, and what there is to see in a recording of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the rows of the practice site's media are made: the name, the size, and more options.
const ROWS: [(&str, &str, &[&str]); 8] = [
    ("plain", "256x144", &[]),
    ("other", "256x144", &["-vf", "hflip"]),
    ("low", "128x72", &[]),
    ("high", "384x216", &[]),
    ("picture", "256x144", &["-an"]),
    ("sound", "256x144", &["-vn"]),
    ("fmp4", "256x144", FRAGMENTS),
    ("wide", "320x144", FRAGMENTS),
];

const FRAGMENTS: &[&str] = &[
    "-hls_segment_type",
    "fmp4",
    "-hls_fmp4_init_filename",
    "init.mp4",
];

/// Pictures in each of the films: 24 segments of half a second, ten pictures a second.
pub(crate) const PICTURES: usize = 120;

/// The folder with the media that the practice site serves, made at the first use.
pub(crate) fn films() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = parent.join("films-2");
    // Tests are processes that begin at once, and one of them makes the films.
    let lock = File::create(parent.join("films.lock")).unwrap();
    lock.lock().unwrap();
    if !folder.exists() {
        let making = parent.join("films.making");
        let _none = fs::remove_dir_all(&making);
        make(&making);
        fs::rename(&making, &folder).unwrap();
    }
    folder
}

/// What each picture of a film looks like, in order.
#[track_caller]
pub(crate) fn pictures(film: &Path) -> Vec<String> {
    hashes(film, "v:0")
}

/// What each piece of a film's sound is like, in order.
#[track_caller]
pub(crate) fn sounds(film: &Path) -> Vec<String> {
    hashes(film, "a:0")
}

#[track_caller]
fn hashes(film: &Path, stream: &str) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(film);
    command.args([
        "-map",
        &format!("0:{stream}"),
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| Some(line.rsplit_once(", ")?.1.trim().to_owned()))
        .collect()
}

/// A file with these bytes, beside those of the test, to look into.
pub(crate) fn film_of(bytes: &[u8], folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, bytes).unwrap();
    file
}

fn make(folder: &Path) {
    for (name, size, more) in ROWS {
        let row = folder.join(name);
        fs::create_dir_all(&row).unwrap();
        let extension = if more == FRAGMENTS { "m4s" } else { "ts" };
        let mut options = vec!["-f", "hls", "-hls_time", "0.5", "-hls_list_size", "0"];
        options.extend_from_slice(more);
        let segments = format!("%03d.{extension}");
        options.extend_from_slice(&["-hls_segment_filename", &segments, "index.m3u8"]);
        encode(&row, size, &options);
    }
    encode(folder, "640x360", &["-movflags", "+faststart", "clip.mp4"]);
}

fn encode(folder: &Path, size: &str, options: &[&str]) {
    let source = format!("testsrc2=size={size}:rate=10:duration=12");
    let mut command = Command::new("ffmpeg");
    command
        .current_dir(folder)
        .args(["-v", "error", "-f", "lavfi", "-i", &source]);
    command.args([
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000:duration=12",
    ]);
    command.args([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-bf",
        "0",
    ]);
    command.args([
        "-g",
        "5",
        "-keyint_min",
        "5",
        "-sc_threshold",
        "0",
        "-threads",
        "1",
    ]);
    command.args(["-c:a", "aac", "-b:a", "64k"]).args(options);
    let status = command.status().unwrap_or_else(|error| {
        panic!("ffmpeg: {error}; scripts/deps/debian.txt names what to install")
    });
    assert!(status.success(), "{command:?}");
}
