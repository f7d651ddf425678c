import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Environment } from '../context/environment.js';
import { connectorOf } from '../context/internal_query.js';
import { StatementRecorder, withScope } from '../context/scope.js';
import { NON_DEFAULT_SETTINGS, type Session } from '../context/session.js';
import type { Planned } from '../planning/plan.js';
import { boundsOf } from '../planning/result_bounds.js';
import type { Options, Request } from './request.js';
import type { ResultCodec, Unstorable } from './result_codec.js';

export interface DatabaseResult {
  readonly result: unknown;
  /** the statements that were sent */
  readonly statements: readonly string[];
  /** why another session might have been given another result */
  readonly obstacle: string | undefined;
}

export interface DatabaseParts {
  readonly driver: AbstractSqlDriver;
  readonly database: CatalogCache;
  readonly environment: Environment;
}

/** Asks the database for the result of a read, and records how it was asked. */
export class DatabaseReader {
  readonly #parts: DatabaseParts;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
  }

  async ask(request: Request, session: Session | undefined): Promise<DatabaseResult> {
    const recorder = new StatementRecorder(request.ownSettings);
    const result = await withScope({ recorder }, () => this.run(request));
    // a transaction may have written at the same time as it read
    const isSame = request.environmentState === this.#parts.environment.current;
    const obstacle =
      recorder.hasNonDefaultSettings || !isSame
        ? NON_DEFAULT_SETTINGS
        : session && (await this.transactionObstacle(session, request.options.ctx));
    return { result, statements: recorder.statements, obstacle };
  }

  /** Asks the primary, because a replica may lag behind the store. */
  run({ run, options }: Request): Promise<unknown> {
    const { replicas } = this.#parts.driver as unknown as { replicas: readonly unknown[] };
    return run(replicas.length > 0 && !options.ctx ? { connectionType: 'write' } : undefined);
  }

  /** Why what a transaction reads may differ from what other sessions read. */
  async transactionObstacle(session: Session, ctx: Options['ctx']): Promise<string | undefined> {
    const { database, driver } = this.#parts;
    // the catalog that it reads must be the one that every session reads
    return session.whyNotCached(false) ?? (await database.get(connectorOf(driver, ctx))).obstacle;
  }
}

/** Encodes what the database has given, unless it must not be stored. */
export function encodeIfStorable(
  codec: ResultCodec,
  request: Request,
  plan: Planned,
  read: DatabaseResult,
): Uint8Array | Unstorable {
  const reason = obstacleTo(plan, read);
  return reason === undefined ? encodeWithBounds(codec, request, plan, read) : { reason };
}

/** Why what the database has given must not be stored. */
export function obstacleTo(plan: Planned, { statements, obstacle }: DatabaseResult): string | undefined {
  return obstacle ?? (plan.confirms(statements) ? undefined : 'other statements than it was planned for');
}

/** Encodes a result that may be stored, with its bounds. */
export function encodeWithBounds(
  codec: ResultCodec,
  { kind, meta, options, environmentState }: Request,
  plan: Planned,
  { result, statements }: DatabaseResult,
): Uint8Array | Unstorable {
  const bounds = environmentState?.isPlain ? plan.bounds : [];
  const reversed = options.last !== undefined && !options.first;
  return codec.encode(
    kind,
    result,
    bounds.length > 0 ? boundsOf(bounds, { meta, result, statements, reversed }) : undefined,
  );
}
