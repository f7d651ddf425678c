import { hash } from 'node:crypto';
import { inPgCatalog } from './pg_catalog.js';
import type { Ask } from './table.js';

/**
 * Names of settings, in lower case, that change how a query is executed or logged, but not its result. Every other
 * setting belongs to the key. JavaScript and PostgreSQL both read this pattern; it has no backslash, because the meaning
 * of a backslash depends on a setting.
 *
 * Settings of the planner change only the order of rows without ORDER BY, which is unspecified. Settings of a
 * transaction (`transaction_*`) are followed with the transaction, and their defaults are in the key.
 */
const HARMLESS = [
  'application_name|client_min_messages|client_connection_check_interval|[a-z0-9_]+_timeout|cluster_name|update_process_title',
  'port|bonjour[a-z0-9_]*|listen_addresses|unix_socket_[a-z0-9_]+|tcp_[a-z0-9_]+|ssl[a-z0-9_]*|krb_[a-z0-9_]+|gss_[a-z0-9_]+|oauth_[a-z0-9_]+|password_encryption',
  'md5_password_warnings|scram_iterations|(superuser_)?reserved_connections|authentication_timeout|createrole_self_grant',
  '[a-z0-9_]+_file|data_directory(_mode)?|event_source|log_[a-z0-9_]+|logging_collector|syslog_[a-z0-9_]+|debug_(pretty_print|print_[a-z0-9_]+)',
  'track_[a-z0-9_]+|stats_[a-z0-9_]+|compute_query_id|trace_[a-z0-9_]+|enable_[a-z0-9_]+|geqo[a-z0-9_]*|jit[a-z0-9_]*|[a-z0-9_]+_cost|effective_cache_size',
  'min_parallel_[a-z0-9_]+|max_parallel_[a-z0-9_]+|(from|join)_collapse_limit|cursor_tuple_fraction|default_statistics_target',
  'recursive_worktable_factor|[a-z0-9_]*work_mem|[a-z0-9_]+_buffers|hash_mem_multiplier|huge_page[a-z0-9_]*|[a-z0-9_]*shared_memory[a-z0-9_]*',
  'max_(connections|worker_processes|locks_[a-z0-9_]+|pred_locks_[a-z0-9_]+|files_per_process|prepared_transactions|stack_depth)',
  'max_(wal|slot_wal|replication|logical|active|sync|standby|notify)[a-z0-9_]*|min_wal_size|temp_file_limit|[a-z0-9_]*io_[a-z0-9_]+',
  '[a-z0-9_]+_flush_after|bgwriter_[a-z0-9_]+|autovacuum[a-z0-9_]*|vacuum_[a-z0-9_]+|checkpoint_[a-z0-9_]+|wal_[a-z0-9_]+|archive_[a-z0-9_]+|recovery_[a-z0-9_]+',
  'restore_command|commit_(delay|siblings)|fsync|full_page_writes|synchron(ous|ized)_[a-z0-9_]+|hot_standby(_feedback)?',
  'primary_[a-z0-9_]+|summarize_wal|sync_replication_slots|num_os_semaphores|check_function_bodies|lo_compat_privileges',
  'allow_alter_system|escape_string_warning|default_(tablespace|table_access_method|toast_compression)|temp_tablespaces',
  'session_replication_role|gin_pending_list_limit|transaction_[a-z0-9_]+|default_transaction_(read_only|deferrable)',
].join('|');

const IS_HARMLESS = new RegExp(`^(${HARMLESS})$`);

/** @param name in lower case */
export function isHarmless(name: string): boolean {
  return IS_HARMLESS.test(name);
}

/** The settings that a session reports. */
export interface Settings {
  /** digest of all settings that may change a result */
  readonly digest: string;
  /** those that PostgreSQL lists, by names in lower case */
  readonly values: Readonly<Record<string, string>>;
  /** the current role */
  readonly user: string;
  /** the search path */
  readonly path: string;
  /** the default isolation of transactions */
  readonly isolation: string;
  /** string constants are read as in standard SQL: statements can be analysed */
  readonly isStandard: boolean;
  /** the same, and no other setting or temporary table changes the meaning of conditions and names */
  readonly isUnderstood: boolean;
  /** when the server last read its configuration: after that, every session may have other settings */
  readonly loaded: string;
  /** id of the session's process on the server */
  readonly processId: number;
}

/** @param own names of custom settings: PostgreSQL does not list those that no library defines */
export async function readSettings(ask: Ask, own: readonly string[]): Promise<Settings> {
  const [row] = await ask(question(own));
  const { settings, users, path, temporary, loaded, process } = row as {
    settings: Record<string, string>;
    users: string[];
    path: string[];
    temporary: boolean;
    loaded: string;
    process: number;
  };
  const isStandard = settings.standard_conforming_strings === 'on';
  const { default_transaction_isolation: isolation, ...answering } = settings;
  const text = JSON.stringify([Object.entries(answering).sort(byName), users, path, temporary]);
  return {
    digest: hash('sha256', text, 'base64url'),
    values: settings,
    user: users[0]!,
    path: path.join(),
    isolation: isolation!,
    isStandard,
    // a temporary table hides other tables of its name
    isUnderstood: isStandard && settings.transform_null_equals === 'off' && !temporary,
    loaded,
    processId: process,
  };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/**
 * Custom settings are listed once a library that defines them is loaded, which any statement may do, so only those that
 * differ from their default count. Settings of ALTER ROLE and ALTER DATABASE are read by name, and those that PostgreSQL does
 * not list but reports.
 */
function question(own: readonly string[]): string {
  const names = own.map(name => `'${name}'`).join();
  return inPgCatalog(`
  select (select json_object_agg(name, setting) from (
           select lower(name) as name, setting from pg_settings
             where lower(name) !~ '^(${HARMLESS})$' and (name !~ '[.]' or setting is distinct from boot_val)
           union select name, current_setting(name) from unnest('{is_superuser,session_authorization}'::text[]) as name
           union select lower(name), current_setting(name, true) from (
             select unnest(array[${names}]::text[]) as name
             union select split_part(assigned, '=', 1) from pg_db_role_setting, unnest(setconfig) as assigned
               where setdatabase in (0, (select oid from pg_database where datname = current_database()))
                 and setrole in (0, (select oid from pg_roles where rolname = session_user))) as own
             where name ~ '[.]' and current_setting(name, true) is not null) as listed) as settings,
         json_build_array(current_user, session_user) as users,
         array_to_json(current_schemas(false)) as path,
         exists (select from pg_class where relnamespace = pg_my_temp_schema()) as temporary,
         extract(epoch from pg_conf_load_time())::text as loaded, pg_backend_pid() as process`);
}

/** All names with a dot in these texts. Names that are not of a setting do no harm. */
export function namesOfOwnSettings(texts: readonly string[]): string[] {
  const names = texts.flatMap(text => text.match(/[a-z_]\w*(?:\.[a-z_]\w*)+/gi) ?? []);
  return [...new Set(names.map(name => name.toLowerCase()))].sort();
}
