-- Which mailbox each mail source last stood for, as an id that gives away neither its server nor its user.

CREATE TABLE mailboxes (
    pipeline VARCHAR NOT NULL,
    source   VARCHAR NOT NULL,
    mailbox  VARCHAR NOT NULL
);
