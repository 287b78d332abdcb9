-- The owner of the read model; it may create roles because the migrations make the readers' ones.
CREATE ROLE pursight LOGIN CREATEROLE PASSWORD 'pursight';
CREATE DATABASE pursight OWNER pursight;
