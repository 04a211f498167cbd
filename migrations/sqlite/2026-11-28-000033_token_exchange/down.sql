DROP TABLE exchanged_tokens;
DROP TABLE exchange_rule_permissions;
DROP TABLE exchange_rules;
