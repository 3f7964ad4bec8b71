"""The tables of the database."""

from __future__ import annotations

VERSION = 1

SCHEMA = """
-- engine.images ------------------------------------------------------------------------------------
CREATE TABLE images (
    id TEXT PRIMARY KEY,                -- digest of the config blob, sha256:...
    manifest_digest TEXT NOT NULL,
    os TEXT NOT NULL,
    architecture TEXT NOT NULL,
    variant TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL DEFAULT 0,    -- seconds since the epoch, as the config says
    pulled REAL NOT NULL,               -- seconds since the epoch
    size INTEGER NOT NULL,              -- bytes unpacked, all layers
    config TEXT NOT NULL,               -- the config blob, JSON as the registry sent it
    removed INTEGER NOT NULL DEFAULT 0  -- 1: removed by force under a stopped container, and gone with that one
) STRICT;

CREATE TABLE snapshots (                -- an unpacked layer; the directory is SNAPSHOTS/<name>/fs
    name TEXT PRIMARY KEY,
    diff_id TEXT NOT NULL,
    chain_id TEXT NOT NULL DEFAULT '',  -- set if the content only fits on the layers below in this chain
    size INTEGER NOT NULL,              -- bytes of file content
    created REAL NOT NULL,
    boot TEXT NOT NULL DEFAULT '',      -- boot ID of the machine's run that wrote it; '' once it is on the disk
    UNIQUE (diff_id, chain_id)
) STRICT;

CREATE TABLE image_layers (             -- from lowest (0) to topmost
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    snapshot TEXT NOT NULL REFERENCES snapshots (name),
    digest TEXT NOT NULL,               -- of the blob
    size INTEGER NOT NULL,              -- bytes of the blob
    PRIMARY KEY (image_id, position)
) STRICT;

CREATE TABLE image_tags (
    reference TEXT PRIMARY KEY,         -- docker.io/library/redis:7
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE image_digests (
    reference TEXT PRIMARY KEY,         -- docker.io/library/redis@sha256:...
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT;

-- engine.containers --------------------------------------------------------------------------------
CREATE TABLE containers (
    id TEXT PRIMARY KEY,                -- 64 hex digits
    name TEXT NOT NULL UNIQUE,
    image TEXT NOT NULL,                -- as typed, made familiar
    image_id TEXT NOT NULL REFERENCES images (id),
    command TEXT NOT NULL,              -- JSON list
    options TEXT NOT NULL,              -- JSON of RunOptions
    created REAL NOT NULL,
    stop_signal TEXT NOT NULL,
    stop_timeout REAL NOT NULL,
    error TEXT NOT NULL DEFAULT '',     -- why the last start failed
    removing INTEGER NOT NULL DEFAULT 0 -- from the first step of a removal, until the last of a creation; broken off,
                                        -- the next reconcile removes it: 1, or 2 with its anonymous volumes
) STRICT;

CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    created REAL NOT NULL,
    anonymous INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE container_volumes (
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    volume TEXT NOT NULL REFERENCES volumes (name),
    PRIMARY KEY (container_id, volume)
) STRICT;

-- engine.network -----------------------------------------------------------------------------------
CREATE TABLE network (                  -- facts chosen once: subnet
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE addresses (
    address TEXT PRIMARY KEY,
    container_id TEXT NOT NULL UNIQUE,  -- or 'pool:<name>' for an endpoint prepared ahead
    mac_address TEXT NOT NULL DEFAULT '',
    netns TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE port_mappings (            -- in force; host_port is never 0 here
    host_ip TEXT NOT NULL,              -- '' for all
    host_port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    container_id TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (host_ip, host_port, protocol)
) STRICT;
CREATE INDEX port_mappings_of ON port_mappings (container_id);
"""
