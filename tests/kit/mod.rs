//! What the integration tests share.

#![allow(dead_code, reason = "every test crate uses its own part of the kit")]

pub(crate) mod account;
pub(crate) mod cluster;
pub(crate) mod farm;
pub(crate) mod feed;
pub(crate) mod index;
pub(crate) mod manager;
pub(crate) mod peer;
pub(crate) mod sdist;
pub(crate) mod swarm;
pub(crate) mod tmux;
pub(crate) mod wait;
pub(crate) mod wanted;
pub(crate) mod wheel;
