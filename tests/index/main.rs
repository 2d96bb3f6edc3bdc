//! The index from outside: see `piwheels::master::cloud_gazer`.
