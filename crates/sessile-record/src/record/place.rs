//! Where a recording goes: its path from the target and the media's title.

use std::path::{Path, PathBuf};

use super::name;
use super::options::{Existing, RecordOptions, Target};
use super::{RecordError, cut, part};
use crate::media::{Media, Recorder};

/// The path of the file when it is complete.
pub(crate) fn path(media: &Media, options: &RecordOptions) -> Result<PathBuf, RecordError> {
    let path = match &options.target {
        Target::File(path) => path.clone(),
        Target::Folder(folder) => folder.join(format!("{}.{}", stem(media), end(media))),
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|why| part::at(folder, why))?;
    }
    if path.is_dir() {
        let why = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(RecordError::File { path, why });
    }
    refuse_existing(&path, cut::existing(&path, &path, options.existing))?;
    Ok(path)
}

/// Fails early, before anything is fetched.
pub(crate) fn refuse_existing(path: &Path, existing: Existing) -> Result<(), RecordError> {
    match existing == Existing::Refuse && path.exists() {
        true => Err(RecordError::Exists {
            path: path.to_owned(),
        }),
        false => Ok(()),
    }
}

fn stem(media: &Media) -> String {
    if let Some(title) = &media.title {
        return name::safe(title);
    }
    let file = media.resolved_url.path().trim_end_matches('/');
    let file = file.rsplit('/').next().unwrap_or_default();
    let file = percent_encoding::percent_decode_str(file).decode_utf8_lossy();
    let stem = file.rsplit_once('.').map_or(&*file, |(stem, _)| stem);
    name::safe(stem)
}

fn end(media: &Media) -> String {
    let path = media.resolved_url.path();
    let end = path
        .rsplit('/')
        .next()
        .and_then(|file| file.rsplit_once('.'));
    let end = end.map(|(_, end)| end.to_ascii_lowercase());
    let is_plain = |end: &String| {
        !end.is_empty() && end.len() <= 4 && end.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    match media.recorder {
        Recorder::Hls => "mp4".to_owned(),
        Recorder::Mp4 => end.filter(is_plain).unwrap_or_else(|| "mp4".to_owned()),
    }
}
