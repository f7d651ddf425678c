import { createRequire } from 'node:module';
import { type AbstractSqlDriver, createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import { FIRST_OWN_OID } from '../catalog/definitions.js';
import type { Catalog } from '../catalog/table.js';
import { identityOf, isFirst, mayCapture } from './unknown_code.js';

type Parser = (value: string) => unknown;

interface Pool {
  readonly options?: {
    readonly types?: { getTypeParser(oid: number, format: 'text'): Parser };
    readonly binary?: boolean;
  };
}

/**
 * Describes how the process's type parsers differ from those of node-postgres and the ORM; empty if they do not. The
 * parsers of a custom dialect are not visible. PGlite's belong to the instance, and thus to the database.
 */
export async function describeParsers(driver: AbstractSqlDriver, catalog: Catalog): Promise<string> {
  const options = (await poolOf(driver))?.options;
  const { types } = options ?? {};
  if (!types) {
    return '';
  }
  const known = knownParsers();
  const changed: unknown[] = [];
  for (const oid of [...Array(FIRST_OWN_OID).keys(), ...ownTypes(catalog)]) {
    const parser = types.getTypeParser(oid, 'text');
    if (known?.parsers.has(parser) || known?.texts.has(String(parser)) || isJson(parser)) {
      continue;
    }
    const captures = known !== undefined && mayCapture(parser);
    changed.push([oid, String(parser), captures && identityOf(parser)]);
    if (captures && isFirst(driver, `type ${oid}`)) {
      driver.config.getLogger().warn('info', `cacheops: the parser of type ${oid} ${WARNING}`);
    }
  }
  return changed.length > 0 || options!.binary ? JSON.stringify([changed, options!.binary]) : '';
}

const WARNING =
  'may use values that its source text does not show, so this process shares no results with others. ' +
  'Write it with its parameter and the globals of the language only.';

async function poolOf(driver: AbstractSqlDriver): Promise<Pool | undefined> {
  const connection = driver.getConnection('write') as unknown as { getNativeClient?: () => Promise<Pool> };
  return connection.getNativeClient?.().catch(() => undefined);
}

function ownTypes({ tables }: Catalog): number[] {
  const oids = [...tables.values()].flatMap(({ columnsAs }) => columnsAs.match(/\b\d{5,}\b/g) ?? []);
  return oids.map(Number).filter(oid => oid >= FIRST_OWN_OID);
}

const JSON_SAMPLE = '{"at":"2024-01-01T00:00:00Z","n":[12345678901234567890,-0,1.50],"json":{"b":null}}';

/** node-postgres binds JSON.parse, so each registration is a new function without a source text. */
function isJson(parser: Parser): boolean {
  const expected = JSON.stringify(JSON.parse(JSON_SAMPLE));
  try {
    return parser.name === 'bound parse' && JSON.stringify(parser(JSON_SAMPLE)) === expected;
  } catch {
    return false;
  }
}

interface Known {
  readonly parsers: ReadonlySet<unknown>;
  readonly texts: ReadonlySet<string>;
}

let found: { readonly known: Known | undefined } | undefined;

/**
 * The original parsers of node-postgres and of the ORM, whatever was registered in their places.
 *
 * @returns `undefined` if the packages are not found, as in a bundle: then only source texts are compared
 */
function knownParsers(): Known | undefined {
  found ??= { known: findKnown() };
  return found.known;
}

function findKnown(): Known | undefined {
  const parsers = new Set<unknown>();
  try {
    const orm = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql'));
    const types = createRequire(createRequire(orm.resolve('pg')).resolve('pg-types'));
    types('./lib/textParsers.js').init((_: number, parser: unknown) => parsers.add(parser));
    parsers.add(types('./index.js').getTypeParser(0, 'text'));
  } catch {
    return undefined;
  }
  const ofOrm = Object.values(createPostgreSqlTypeParsers(text => [text])).map(String);
  return { parsers, texts: new Set([ARRAYS, ...ofOrm]) };
}

/** The ORM's parser of arrays, which wraps another package's. */
const ARRAYS = 's => array.parse(s)';
