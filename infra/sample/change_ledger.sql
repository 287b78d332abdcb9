-- What the customer changes in ledger: one way when called, back when called again. Ends by saying what was done,
-- and which kinds of change the next discovery must find.
SET ROLE ledgersmb;
SELECT to_regclass('public.loyalty_card') IS NULL AS forth
\gset
BEGIN;
\if :forth
CREATE TABLE loyalty_card (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_id integer NOT NULL REFERENCES entity (id),
    number text NOT NULL UNIQUE
);
ALTER TABLE entity ADD CONSTRAINT entity_name_filled CHECK (name <> '');
\echo 'table loyalty_card created; entity: check entity_name_filled added'
\echo 'expect OBJECT_ADDED CHECK_ADDED'
\else
DROP TABLE loyalty_card;
ALTER TABLE entity DROP CONSTRAINT entity_name_filled;
\echo 'table loyalty_card dropped; entity: check entity_name_filled dropped'
\echo 'expect OBJECT_DROPPED CHECK_DROPPED'
\endif
COMMIT;
