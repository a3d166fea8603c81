-- The privileges that the function's role needs, and no more.  Run this as the owner of
-- the tables:
--
--     psql -v role=importer -v schema=public -f grants.sql
--
-- `salespro grants importer` prints it with the names of the database and the schema.
-- A role that signs in with IAM must also be a member of rds_iam: GRANT rds_iam TO …

-- TEMPORARY: a dry run writes to temporary tables that shadow the real ones.
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";
-- An import inserts and updates rows, and reads them to compare.  Only an undo deletes rows,
-- and only those that its import has created.
GRANT SELECT, INSERT, UPDATE, DELETE ON :"schema".salespro_appointment  TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON :"schema".salespro_users        TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON :"schema".salespro_users_seen   TO :"role";
GRANT SELECT, INSERT, UPDATE         ON :"schema".salespro_sync_history TO :"role";
-- Old changes are deleted, see KEEP_CHANGES_DAYS.
GRANT SELECT, INSERT, DELETE         ON :"schema".salespro_changes      TO :"role";
