//! Resolver and recorder against the practice website's media, compared with their source.

#[cfg(test)]
mod hls;
#[cfg(test)]
mod live;
#[cfg(test)]
mod mp4;
#[cfg(test)]
mod renew;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod stage;
