-- What the function's role needs, and no more.  Run it as the owner of the tables:
--
--     psql -v role=importer -v schema=public -f grants.sql
--
-- `salespro grants importer` prints it for the database and the schema that it finds.
-- A role that signs in with IAM is to be a member of rds_iam besides: GRANT rds_iam TO …

-- TEMPORARY is for dry runs, whose tables shadow the real ones.
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";
-- Nothing is ever deleted.  An import writes, and compares with what is stored.
GRANT SELECT, INSERT, UPDATE ON :"schema".salespro_appointment  TO :"role";
GRANT SELECT, INSERT, UPDATE ON :"schema".salespro_users        TO :"role";
GRANT SELECT, INSERT, UPDATE ON :"schema".salespro_users_seen   TO :"role";
GRANT SELECT, INSERT, UPDATE ON :"schema".salespro_sync_history TO :"role";
