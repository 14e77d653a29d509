//! Playlists, fetched: of the media's address, and of the variant in it.

use sessile::ShownUrl;
use tokio::time::Instant;
use url::Url;

use super::keys::passing;
use super::variant;
use crate::login_page;
use crate::playlist::{self, Limits, Main, MediaPlaylist, Playlist, Variables};
use crate::record::source::{Fault, Source, Wanted};
use crate::record::{Quality, RecordError};

/// Which of the media's playlists is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// The audio apart from the video.
    Audio,
    /// The variant itself.
    Main,
}

/// A playlist of segments, with where it came from.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) url: Url,
    pub(super) media: MediaPlaylist,
    pub(super) variables: Variables,
    /// Which way in it was fetched by.
    pub(super) epoch: u64,
}

/// The variant that was chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Its height and bits per second; `None` where there is only one.
    pub(super) variant: Option<(Option<u32>, u64)>,
    /// Where its separate audio is.
    pub(super) audio: Option<Url>,
    url: Option<Url>,
    variables: Variables,
}

/// Finds the playlist of segments at the media's address.
pub(super) async fn locate(
    source: &Source<'_>,
    which: Which,
    quality: Quality,
) -> Result<(Loaded, Choice), Fault> {
    let (address, epoch) = source.address();
    let none = Variables::default();
    let first = match seen(source) {
        Some(seen) => seen,
        None => fetch(source, &address, &none).await?,
    };
    let choice = match first {
        (_, Playlist::Main(main)) => choose(&address, &main, quality)?,
        (url, Playlist::Media(media)) => {
            let loaded = Loaded {
                url,
                media,
                variables: none,
                epoch,
            };
            return Ok((loaded, Choice::default()));
        }
    };
    let url = match which {
        Which::Audio => choice.audio.as_ref(),
        Which::Main => choice.url.as_ref(),
    };
    let Some(url) = url else {
        return Err(fault(
            &address,
            "its variant has no separate audio any more",
        ));
    };
    let media = load(source, url, &choice.variables).await?;
    let loaded = Loaded {
        url: url.clone(),
        media,
        variables: choice.variables.clone(),
        epoch,
    };
    Ok((loaded, choice))
}

/// The playlist of segments at an address.
pub(super) async fn load(
    source: &Source<'_>,
    url: &Url,
    variables: &Variables,
) -> Result<MediaPlaylist, Fault> {
    match fetch(source, url, variables).await? {
        (_, Playlist::Media(media)) => Ok(media),
        (_, Playlist::Main(_)) => Err(fault(url, "it lists variants where segments belong")),
    }
}

/// As often as it takes, with another way in where the address has stopped working.
pub(super) async fn insist(
    source: &Source<'_>,
    which: Which,
    quality: Quality,
) -> Result<(Loaded, Choice), RecordError> {
    let mut tried = 0;
    let began = Instant::now();
    loop {
        match locate(source, which, quality).await {
            Ok(found) => return Ok(found),
            Err(Fault::Closed(epoch, why)) => source.open_again(epoch, why).await?,
            Err(Fault::Passing(_, asked))
                if source.may_try(tried, began)
                    && let Some(pause) = source.pause(tried, asked) =>
            {
                tokio::time::sleep(pause).await;
                tried += 1;
            }
            Err(fault) => return Err(fault.into_error()),
        }
    }
}

fn choose(address: &Url, main: &Main, quality: Quality) -> Result<Choice, Fault> {
    let Some((variant, audio)) = variant::choose(main, quality) else {
        return Err(fault(address, "it lists no variant"));
    };
    let has_several = main.variants.len() > 1;
    Ok(Choice {
        variant: has_several.then_some((variant.height, variant.bandwidth)),
        audio: audio.and_then(|audio| audio.url.clone()),
        url: Some(variant.url.clone()),
        variables: main.variables.clone(),
    })
}

fn fault(url: &Url, what: &str) -> Fault {
    Fault::Stop(RecordError::Playlist {
        url: ShownUrl(url).to_string(),
        what: what.to_owned(),
    })
}

/// What the resolver has fetched, unless it may have changed since.
fn seen(source: &Source<'_>) -> Option<(Url, Playlist)> {
    let seen = source.take_seen()?;
    let (none, limits) = (Variables::default(), Limits::default());
    match playlist::read(seen.text.as_bytes(), &seen.base, &none, limits).ok()? {
        Playlist::Media(media) if !media.is_ended => None,
        playlist => Some((seen.base.clone(), playlist)),
    }
}

async fn fetch(
    source: &Source<'_>,
    url: &Url,
    variables: &Variables,
) -> Result<(Url, Playlist), Fault> {
    let mut reply = source.fetch(&Wanted::text(url)).await?;
    // Where it was redirected to is what its addresses are relative to.
    let base = reply.url().clone();
    let (is_page, epoch) = (reply.is_html(), source.epoch());
    let limits = Limits::default();
    let mut bytes = Vec::new();
    while bytes.len() <= limits.bytes {
        match reply.chunk().await.map_err(passing)? {
            Some(piece) => bytes.extend_from_slice(&piece),
            None => break,
        }
    }
    match playlist::read(&bytes, &base, variables, limits) {
        Ok(playlist) => Ok((base, playlist)),
        // One that was cut short, or caught while it was written, may be whole the next time.
        Err(fault) => {
            let error = RecordError::Playlist {
                url: ShownUrl(&base).to_string(),
                what: fault.to_string(),
            };
            match is_page {
                true if login_page::is_one(&String::from_utf8_lossy(&bytes)) => {
                    let url = ShownUrl(&base).to_string();
                    Err(Fault::Closed(epoch, RecordError::LoggedOut { url }))
                }
                true => Err(Fault::Closed(epoch, error)),
                false => Err(Fault::Passing(error, None)),
            }
        }
    }
}
