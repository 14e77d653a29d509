//! A daemon on loopback, asked over HTTP as any program would, with the practice site behind it.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod document;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod support;
