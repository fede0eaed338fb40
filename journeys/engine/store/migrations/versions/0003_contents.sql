create sequence promotion_no;

create table catalogs (
    workspace integer not null,
    name text not null,
    description text default '' not null,
    fields jsonb not null,
    created timestamp with time zone default now() not null,
    updated timestamp with time zone default now() not null,
    constraint catalogs_pkey primary key (workspace, name)
);

create table catalog_items (
    workspace integer not null,
    catalog text not null,
    id text not null,
    payload jsonb not null,
    updated timestamp with time zone default now() not null,
    constraint catalog_items_pkey primary key (workspace, catalog, id)
);

create table catalog_selections (
    workspace integer not null,
    catalog text not null,
    name text not null,
    body jsonb not null,
    created timestamp with time zone default now() not null,
    constraint catalog_selections_pkey primary key (workspace, catalog, name)
);

create table content_blocks (
    workspace integer not null,
    name text not null,
    id uuid not null,
    description text default '' not null,
    state text default 'active' not null,
    tags text[] default '{}' not null,
    version integer default 1 not null,
    content text not null,
    created timestamp with time zone default now() not null,
    edited timestamp with time zone default now() not null,
    constraint content_blocks_pkey primary key (workspace, name),
    constraint content_blocks_id_key unique (id)
);

create table content_block_versions (
    workspace integer not null,
    name text not null,
    version integer not null,
    content text not null,
    stored timestamp with time zone default now() not null,
    constraint content_block_versions_pkey primary key (workspace, name, version)
);

create table promotion_lists (
    workspace integer not null,
    name text not null,
    expires timestamp with time zone not null,
    created timestamp with time zone default now() not null,
    constraint promotion_lists_pkey primary key (workspace, name)
);

create table promotion_codes (
    workspace integer not null,
    list text not null,
    code text not null,
    no bigint default nextval('promotion_no') not null,
    send text,
    person uuid,
    charged timestamp with time zone,
    constraint promotion_codes_pkey primary key (workspace, list, code)
);
create index promotion_codes_free on promotion_codes (workspace, list, no) where send is null;
create unique index promotion_codes_send on promotion_codes (workspace, send, list) where send is not null;

create table carts (
    workspace integer not null,
    person uuid not null,
    id text not null,
    body jsonb not null,
    ordered boolean default false not null,
    at timestamp with time zone not null,
    constraint carts_pkey primary key (workspace, person, id)
);
