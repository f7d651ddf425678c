export const drop = /* lua */ `
-- Deletes the stamp of one table, and so invalidates everything that depends on the table.
--
-- KEYS: the table's stamp

redis.call('DEL', KEYS[1])
`;
