//! The pages, one file a topic, each with its `routes`.
//!
//! `layout` is the frame around every page, `door` what all logins share.
//! A new kind of login is a file here that ends in `door::admit`.

mod admin;
mod api;
mod browsers;
mod cookies;
mod door;
mod forms;
mod home;
mod layout;
mod login;
mod media;
mod members;
mod multi;
mod parts;
mod totp;
mod transport;
mod two_step;

use std::sync::Arc;

use axum::Router;

use crate::world::World;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .merge(admin::routes())
        .merge(api::routes())
        .merge(browsers::routes())
        .merge(cookies::routes())
        .merge(forms::routes())
        .merge(home::routes())
        .merge(login::routes())
        .merge(media::routes())
        .merge(members::routes())
        .merge(multi::routes())
        .merge(parts::routes())
        .merge(totp::routes())
        .merge(transport::routes())
        .merge(two_step::routes())
        .fallback(home::not_found)
}
