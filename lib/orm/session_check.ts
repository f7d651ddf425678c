import { effectsOn } from '../changes/statements/effects.js';
import type { Ask, Catalog } from './catalog.js';
import { type Changes, changesBy } from './session.js';

/**
 * What a session's settings are by its own account: for sessions of which it is not known what a statement has done
 * to them.
 */
export async function inspect(ask: Ask, catalog: Catalog): Promise<Changes> {
  const [row] = await ask(QUESTION);
  const { settings, users, path, temporary } = row as {
    settings: string[];
    users: string[];
    path: string[];
    temporary: boolean;
  };
  const changes = changesBy(effectsOn(settings));
  return {
    ...changes,
    role: changes.role || users.some(user => user !== catalog.user),
    // temporary tables come before others of their names
    searchPath: changes.searchPath || temporary || path.join() !== catalog.path.join(),
  };
}

const QUESTION = `
  select coalesce((select json_agg(name) from pg_settings
           where source = 'session' and setting is distinct from reset_val), '[]') as settings,
         json_build_array(current_user, session_user) as users,
         array_to_json(current_schemas(false)) as path,
         exists (select from pg_class where relnamespace = pg_my_temp_schema()) as temporary`;
