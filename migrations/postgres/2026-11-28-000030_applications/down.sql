DROP INDEX api_keys_by_may_act;
ALTER TABLE api_keys DROP COLUMN may_act_id;
DROP TABLE application_resources;
DROP TABLE application_roles;
DROP TABLE application_secrets;
DROP TABLE applications;
