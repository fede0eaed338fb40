create sequence occurrence_no;
create sequence fact_no;
create sequence dispatch_no;

CREATE TABLE aliases (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT aliases_pkey PRIMARY KEY (workspace, person, label), -- IDN-3
    CONSTRAINT aliases_workspace_label_name_key UNIQUE (workspace, label, name) -- IDN-3
);

CREATE TABLE api_keys (
    workspace INTEGER NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    digest BYTEA NOT NULL,
    permissions TEXT[] NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_keys_pkey PRIMARY KEY (workspace, id),
    CONSTRAINT api_keys_workspace_name_key UNIQUE (workspace, name),
    CONSTRAINT api_keys_digest_key UNIQUE (digest)
);

CREATE TABLE broadcasts (
    workspace INTEGER NOT NULL,
    id UUID NOT NULL,
    canvas TEXT NOT NULL,
    audience JSONB,
    context JSONB NOT NULL,
    after UUID,
    entered INTEGER DEFAULT 0 NOT NULL,
    lease TIMESTAMP WITH TIME ZONE,
    ended TIMESTAMP WITH TIME ZONE,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT broadcasts_pkey PRIMARY KEY (workspace, id)
);
CREATE INDEX broadcasts_open ON broadcasts (stored) WHERE ended is null;

CREATE TABLE canvases (
    workspace INTEGER NOT NULL,
    name TEXT NOT NULL,
    id UUID NOT NULL,
    plan TEXT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    published TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT canvases_pkey PRIMARY KEY (workspace, name),
    CONSTRAINT canvases_id_key UNIQUE (id)
);

CREATE TABLE consents (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT consents_pkey PRIMARY KEY (workspace, person, channel)
);

CREATE TABLE conversions (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    entry UUID NOT NULL,
    name TEXT NOT NULL,
    shard SMALLINT NOT NULL,
    canvas TEXT NOT NULL,
    plan TEXT NOT NULL,
    variant TEXT,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE,
    step TEXT,
    revenue TEXT,
    CONSTRAINT conversions_pkey PRIMARY KEY (workspace, person, entry, name)
);
CREATE INDEX conversions_of ON conversions (workspace, canvas, name);
CREATE INDEX conversions_open ON conversions (workspace, person, until) WHERE at is null;

CREATE TABLE definitions (
    workspace INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    body JSONB NOT NULL,
    published TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT definitions_pkey PRIMARY KEY (workspace, kind, name)
);

CREATE TABLE dispatches (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    key TEXT NOT NULL,
    shard SMALLINT NOT NULL,
    no BIGINT DEFAULT nextval('dispatch_no') NOT NULL,
    entry UUID NOT NULL,
    canvas TEXT NOT NULL,
    plan TEXT NOT NULL,
    step TEXT NOT NULL,
    variant TEXT,
    channel TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    context JSONB DEFAULT '{}' NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    held BOOLEAN DEFAULT false NOT NULL,
    priority SMALLINT DEFAULT 1 NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    claim UUID,
    lease TIMESTAMP WITH TIME ZONE,
    attempts SMALLINT DEFAULT 0 NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT dispatches_pkey PRIMARY KEY (workspace, person, key)
);
CREATE INDEX dispatches_drain ON dispatches (channel, priority, no);
CREATE INDEX dispatches_key ON dispatches (key);
CREATE INDEX dispatches_of_entry ON dispatches (workspace, person, entry);

CREATE TABLE echoes (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    hops SMALLINT NOT NULL,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT echoes_pkey PRIMARY KEY (workspace, person, key)
);

CREATE TABLE entries (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    id UUID NOT NULL,
    shard SMALLINT NOT NULL,
    canvas TEXT NOT NULL,
    plan TEXT NOT NULL,
    key TEXT NOT NULL,
    alarm UUID NOT NULL,
    generation INTEGER DEFAULT 0 NOT NULL,
    turn INTEGER DEFAULT 1 NOT NULL,
    answered INTEGER DEFAULT 0 NOT NULL,
    told INTEGER DEFAULT 0 NOT NULL,
    moved TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    priority SMALLINT DEFAULT 1 NOT NULL,
    entered TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    variant TEXT,
    step TEXT,
    begun TIMESTAMP WITH TIME ZONE,
    wake_at TIMESTAMP WITH TIME ZONE,
    alarm_at TIMESTAMP WITH TIME ZONE,
    phase TEXT DEFAULT '' NOT NULL,
    leaving TEXT,
    ended TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    context JSONB DEFAULT '{}' NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    heard BIGINT DEFAULT 0 NOT NULL,
    hops SMALLINT DEFAULT 0 NOT NULL,
    CONSTRAINT entries_pkey PRIMARY KEY (workspace, person, id)
);
CREATE INDEX entries_alarm ON entries (alarm) WHERE ended is null;
CREATE INDEX entries_due ON entries (alarm_at) WHERE ended is null;
CREATE UNIQUE INDEX entries_key ON entries (workspace, canvas, person, key);
CREATE INDEX entries_of ON entries (workspace, person, canvas, entered);
CREATE INDEX entries_open ON entries (workspace, person) WHERE ended is null;
CREATE INDEX entries_untold ON entries (moved) WHERE told < turn;

CREATE TABLE events (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    no BIGINT DEFAULT nextval('occurrence_no') NOT NULL,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    shard SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    hops SMALLINT DEFAULT 0 NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (workspace, person, no, stored)
)
 PARTITION BY RANGE (stored);
CREATE INDEX events_of ON events (workspace, person, kind, name, at);

CREATE TABLE facts (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    no BIGINT DEFAULT nextval('fact_no') NOT NULL,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    shard SMALLINT NOT NULL,
    fact TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    canvas TEXT,
    entry UUID,
    step TEXT,
    dispatch TEXT,
    data JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT facts_pkey PRIMARY KEY (workspace, person, no, stored)
)
 PARTITION BY RANGE (stored);
CREATE INDEX facts_of_canvas ON facts (workspace, canvas, fact, step);
CREATE INDEX facts_of_entry ON facts (workspace, person, entry);

CREATE TABLE inbox (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    entry UUID NOT NULL,
    no BIGINT NOT NULL,
    step TEXT NOT NULL,
    what TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT DEFAULT 'event' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (workspace, person, entry, no)
);

CREATE TABLE people (
    workspace INTEGER NOT NULL,
    id UUID NOT NULL,
    shard SMALLINT NOT NULL,
    external_id TEXT,
    anonymous_id TEXT,
    email TEXT,
    phone TEXT,
    first_name TEXT,
    last_name TEXT,
    language TEXT,
    country TEXT,
    zone TEXT,
    bucket SMALLINT NOT NULL,
    standard JSONB DEFAULT '{}' NOT NULL,
    attributes JSONB DEFAULT '{}' NOT NULL,
    summary JSONB DEFAULT '{}' NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT people_pkey PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX people_anonymous_id ON people (workspace, anonymous_id) WHERE anonymous_id is not null;
CREATE INDEX people_email ON people (workspace, email) WHERE email is not null;
CREATE UNIQUE INDEX people_external_id ON people (workspace, external_id) WHERE external_id is not null; -- IDN-2
CREATE INDEX people_phone ON people (workspace, phone) WHERE phone is not null;

CREATE TABLE plans (
    workspace INTEGER NOT NULL,
    id TEXT NOT NULL,
    canvas TEXT NOT NULL,
    body JSONB NOT NULL,
    published TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT plans_pkey PRIMARY KEY (workspace, id)
);

CREATE TABLE replies (
    workspace INTEGER NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    status INTEGER NOT NULL,
    body JSONB NOT NULL,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT replies_pkey PRIMARY KEY (workspace, route, key)
);

CREATE TABLE seen (
    workspace INTEGER NOT NULL,
    person UUID NOT NULL,
    digest BYTEA NOT NULL,
    stored TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT seen_pkey PRIMARY KEY (workspace, person, digest)
);
CREATE INDEX seen_stored ON seen (stored);

CREATE TABLE workspaces (
    id SERIAL NOT NULL,
    name TEXT NOT NULL,
    zone TEXT DEFAULT 'UTC' NOT NULL,
    settings JSONB DEFAULT '{}' NOT NULL,
    secret BYTEA NOT NULL,
    revision BIGINT DEFAULT 0 NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT workspaces_pkey PRIMARY KEY (id),
    CONSTRAINT workspaces_name_key UNIQUE (name)
);

-- Rows of a month that nobody prepared land here; nothing is refused.
create table events_rest partition of events default;
create table facts_rest partition of facts default;

-- Makes the partitions of this month and of the months ahead.
create function ensure_partitions(ahead integer) returns void language plpgsql as $$
declare
    parent text;
    month date;
begin
    foreach parent in array array['events', 'facts'] loop
        for i in 0..ahead loop
            month := date_trunc('month', now() at time zone 'UTC')::date + make_interval(months => i);
            execute format(
                'create table if not exists %I partition of %I for values from (%L) to (%L)',
                parent || to_char(month, '_YYYY_MM'), parent,
                month::text || ' 00:00+00', (month + interval '1 month')::date::text || ' 00:00+00'
            );
        end loop;
    end loop;
end
$$;
