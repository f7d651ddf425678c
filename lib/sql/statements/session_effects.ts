import type { SessionEffects } from '../statement.js';

const ROLE = ['role', 'session_authorization', 'row_security'];
const ISOLATION = ['transaction_isolation', 'default_transaction_isolation', 'transaction_snapshot'];
const SYNTAX = ['standard_conforming_strings'];

/** @param settings the names of the changed settings; `undefined`: any */
export function effectsOn(settings: readonly string[] | undefined): SessionEffects {
  const names = settings?.map(setting => setting.toLowerCase());
  const includes = (some: readonly string[]) => names?.some(name => some.includes(name)) ?? true;
  return {
    changesRole: includes(ROLE),
    changesIsolation: includes(ISOLATION),
    changesSearchPath: includes(['search_path']),
    changesSyntax: includes(SYNTAX),
    settings: names,
  };
}

export function eitherEffects(
  a: SessionEffects | undefined,
  b: SessionEffects | undefined,
): SessionEffects | undefined {
  return a && b ? effectsOn(a.settings && b.settings && [...a.settings, ...b.settings]) : (a ?? b);
}
