DROP INDEX api_keys_by_name;
DROP TABLE ruled_memberships;
DROP TABLE sign_in_links;
DROP TABLE passkeys;
DROP TABLE used_attempts;
DROP TABLE sessions;
DROP TABLE people;
