//! Which of several variants is recorded.

use crate::playlist::{Main, Rendition, Variant};
use crate::record::Quality;

/// The variant of this quality, and its separate audio where it has some.
pub(super) fn choose(main: &Main, quality: Quality) -> Option<(&Variant, Option<&Rendition>)> {
    let with_video = |variant: &&Variant| variant.height.is_some() || has_video(variant);
    let has_any_video = main.variants.iter().any(|variant| with_video(&variant));
    // One with sound alone is chosen only where all are.
    let variants = main
        .variants
        .iter()
        .filter(|variant| !has_any_video || with_video(variant));
    let mut variants: Vec<&Variant> = variants.collect();
    variants.sort_by_key(|variant| (variant.height, variant.bandwidth));
    let chosen = match quality {
        Quality::Best => variants.last(),
        Quality::Worst => variants.first(),
        Quality::Height(most) => {
            let fitting = |variant: &&&Variant| variant.height.is_some_and(|own| own <= most);
            variants.iter().rfind(fitting).or(variants.first())
        }
        Quality::Bandwidth(most) => {
            variants.sort_by_key(|variant| variant.bandwidth);
            let fitting = |variant: &&&Variant| variant.bandwidth <= most;
            variants.iter().rfind(fitting).or(variants.first())
        }
    };
    let chosen = *chosen?;
    Some((chosen, audio_of(main, chosen)))
}

fn has_video(variant: &Variant) -> bool {
    const VIDEO: [&str; 7] = ["av01", "avc", "dvh", "hev", "hvc", "vp0", "vp8"];
    let codecs = variant.codecs.as_deref().unwrap_or_default();
    codecs
        .split(',')
        .any(|codec| VIDEO.iter().any(|video| codec.trim().starts_with(video)))
}

/// The default of the variant's group, else its first.
fn audio_of<'a>(main: &'a Main, variant: &Variant) -> Option<&'a Rendition> {
    let group = variant.audio.as_deref()?;
    let own = || main.audio.iter().filter(|audio| audio.group == group);
    let audio = own().find(|audio| audio.is_default).or(own().next())?;
    audio.url.is_some().then_some(audio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_chosen() {
        check(Quality::Best, 1080, 4_000_000);
        check(Quality::Worst, 360, 500_000);
        check(Quality::Height(720), 720, 2_500_000);
        check(Quality::Height(1000), 720, 2_500_000);
        check(Quality::Height(100), 360, 500_000);
        check(Quality::Bandwidth(2_400_000), 720, 1_500_000);
        check(Quality::Bandwidth(1), 360, 500_000);
    }

    #[track_caller]
    fn check(quality: Quality, height: u32, bandwidth: u64) {
        let variants = [
            (None, 64_000),
            (Some(360), 500_000),
            (Some(720), 2_500_000),
            (Some(720), 1_500_000),
            (Some(1080), 4_000_000),
        ];
        let variants = variants.map(|(height, bandwidth)| Variant {
            url: "http://a.test/".parse().unwrap(),
            bandwidth,
            height,
            audio: None,
            codecs: None,
        });
        let main = Main {
            variants: variants.to_vec(),
            ..Main::default()
        };
        let chosen = choose(&main, quality).unwrap().0;
        assert_eq!(
            (chosen.height, chosen.bandwidth),
            (Some(height), bandwidth),
            "{quality:?}"
        );
    }
}
