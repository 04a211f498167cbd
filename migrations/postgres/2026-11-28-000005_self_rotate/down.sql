ALTER TABLE api_keys DROP COLUMN self_rotate;
