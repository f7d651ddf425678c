import { hash } from 'node:crypto';
import { EntityMetadata, type EntityProperty, JsonType, Type, Utils } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { identityOf, isFirst, mayCapture } from '../context/unknown_code.js';

/** Changes whenever entries of an older version of this package could be misread. */
const FORMAT = 2;

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Of an entity: fields that only the schema needs, that are derived from others, or that name files. */
const NOT_OF_ENTITIES = words(`
  _id path class prototype repository repositoryClass hooks indexes uniques checks triggers policies comment partitionBy
  propertyOrder props relations bidirectionalRelations referencingProperties comparableProps trackingProps hydrateProps
  validateProps uniqueProps getterProps ownProps definedProperties hasTriggers hasUniqueProps root polymorphs tptParentProp
  tptInverseProp tptChildren allTPTDescendants cacheops properties`);

/**
 * Of a property: fields that only the schema or writes need. The target of the property stands for `entity`. The type of
 * the column contains length, precision and scale, which the schema generator fills in where it runs.
 */
const NOT_OF_PROPERTIES = words(`
  entity comment default defaultRaw extra index unique collation renamedFrom ignoreSchemaChanges deferMode deleteRule
  updateRule createForeignKeyConstraint foreignKeyName onCreate onUpdate cascade orphanRemoval generated userDefined length precision scale`);

/** Of a custom type: fields that refer to its place of use. */
const NOT_OF_TYPES = words('platform meta prop');

/** Of the configuration: fields that decide how the process connects, logs, writes, or finds its entities. */
const NOT_OF_CONFIG = words(`
  clientUrl host port user password dbName name charset ssl replicas pool driver driverOptions onCreateConnection
  onReserveConnection multipleStatements connect preferReadReplicas schemaGenerator migrations seeder entityGenerator
  entities entitiesTs extensions subscribers routines entityRepository discovery metadataProvider metadataCache resultCache
  context contextName allowGlobalContext logger loggerFactory colors highlighter debug verbose slowQueryThreshold
  slowQueryLoggerNamespace ignoreDeprecations findOneOrFailHandler findExactlyOneOrFailHandler baseDir preferTs
  dynamicImportProvider compiledFunctions flushMode dataloader validateRequired assign persistOnCreate upsertManaged
  propagationOnPrototype populateAfterFlush processOnCreateHooksEarly ensureDatabase ensureIndexes batchSize
  useBatchInserts useBatchUpdates disableIdentityMap disableTransactions implicitTransactions sessionContext collate`);

/**
 * A digest of everything that decides how rows become entities. It is part of every key, so that a deployment that
 * changes an entity starts with a cold cache, and the old and the new version can run side by side.
 *
 * It includes every field of an entity that is not known to be irrelevant. Code is identified by its text and by the SQL
 * that it makes, because two functions with the same text may have captured different variables. The values that code
 * makes need not be compared, because each process runs the code itself, also on a hit.
 *
 * All entities share one digest. A digest for each entity would have to include every relation that a query may join or
 * populate, and in most models these connect all entities.
 */
export function modelDigest(driver: AbstractSqlDriver): string {
  return modelDefinitionOf(driver).digest;
}

export interface ModelDefinition {
  readonly digest: string;
  /** names of tables of entities with code that may make other SQL for each query */
  readonly varying: ReadonlySet<string>;
}

export function modelDefinitionOf(driver: AbstractSqlDriver): ModelDefinition {
  const varying = new Set<string>();
  const entities = [...driver.getMetadata().getAll().values()]
    .map(meta => {
      const description = new Description(driver);
      const text = description.ofEntity(meta);
      if (description.varies) {
        varying.add(meta.tableName);
      }
      return text;
    })
    .sort();
  const settings = JSON.stringify(new Description(driver).ofConfig());
  const text = JSON.stringify([FORMAT, Utils.getORMVersion(), settings, entities]);
  return { digest: hash('sha256', text, 'base64url'), varying };
}

class Description {
  /** there is code that may make other SQL for each query */
  varies = false;
  readonly #driver: AbstractSqlDriver;
  /** the objects that were described, with their numbers */
  readonly #seen = new Map<object, number>();

  constructor(driver: AbstractSqlDriver) {
    this.#driver = driver;
  }

  ofEntity(meta: EntityMetadata): string {
    return JSON.stringify([
      this.#fieldsOf(meta, NOT_OF_ENTITIES),
      Object.values(meta.properties).map(prop => this.#ofProperty(prop as EntityProperty, meta)),
    ]);
  }

  ofConfig(): unknown {
    const { config } = this.#driver;
    const platform = this.#driver.getPlatform();
    return [
      this.#fieldsOf(config.getAll(), NOT_OF_CONFIG),
      this.#ofCode(platform),
      this.#ofCode(this.#driver),
      this.#describe(platform.getTimezone()),
    ];
  }

  /** Sorted, because the order in which fields were set does not matter. */
  #fieldsOf(value: object, without: ReadonlySet<string>): unknown {
    return Object.entries(value)
      .filter(([name, field]) => !without.has(name) && field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [
        name,
        name === 'embeddedProps' ? this.#embedded(field as object) : this.#describe(field),
      ]);
  }

  /** Properties of an embedded object, by name. */
  #embedded(props: object): unknown {
    return Object.entries(props).map(([name, prop]) => [name, this.#fieldsOf(prop, NOT_OF_PROPERTIES)]);
  }

  #ofProperty(prop: EntityProperty, meta: EntityMetadata): unknown {
    this.#seen.set(prop, this.#seen.size);
    const { formula } = prop;
    const types = [prop.customType, ...(prop.customTypes ?? [])].flatMap(type => type ?? []);
    const where = `${meta.className}.${prop.name}`;
    return [
      this.#fieldsOf(prop, NOT_OF_PROPERTIES),
      formula && this.#evaluated(`${where}: formula`, formula, alias => this.#formula(prop, meta, alias)),
      types.map(type =>
        SQL_OF_TYPES.map(name => {
          const code = type[name] as ((key: string, platform: unknown) => string) | undefined;
          const run = (key: string) => code!.call(type, key, this.#driver.getPlatform());
          return code && this.#evaluated(`${where}: ${name}`, code, run);
        }),
      ),
    ];
  }

  #formula(prop: EntityProperty, meta: EntityMetadata, alias: string): unknown {
    const evaluating = this.#driver as unknown as FormulaDriver;
    const columns = meta.createColumnMappingObject(alias);
    return evaluating.evaluateFormula(prop.formula, columns, evaluating.createFormulaTable(alias, meta));
  }

  /** The SQL that code makes, if it is always the same. */
  #evaluated(what: string, code: unknown, run: (sample: string) => unknown): unknown {
    const captures = typeof code === 'function' && !isOfOrm(code) && mayCapture(code as () => unknown);
    this.varies ||= captures;
    const runs = () => JSON.stringify(['x', '"a"."b"'].map(run));
    try {
      const made = runs();
      if (made === runs()) {
        return made;
      }
    } catch {
      // treated as code that makes other SQL each time
    }
    if (typeof code !== 'function' || !captures) {
      return String(code);
    }
    if (isFirst(this.#driver, what)) {
      this.#driver.config.getLogger().warn('info', `cacheops: ${what} ${WARNING}`);
    }
    return identityOf(code);
  }

  #describe(value: unknown): unknown {
    switch (typeof value) {
      case 'function':
        return this.#ofFunction(value as Code);
      case 'object':
        return value === null ? null : this.#ofObject(value);
      case 'symbol':
        return nameOf(value);
      case 'string':
      case 'boolean':
        return value;
      default:
        return `${typeof value} ${String(value)}`;
    }
  }

  #ofFunction(code: Code): unknown {
    const meta = code.prototype ? this.#driver.getMetadata().find(code as never) : undefined;
    return meta ? this.#describe(meta) : ['code', String(code)];
  }

  #ofObject(value: object): unknown {
    if (value instanceof EntityMetadata) {
      return ['entity', value.className, value.schema, value.tableName];
    }
    const seen = this.#seen.get(value);
    if (seen !== undefined) {
      return ['seen', seen];
    }
    if (value instanceof Date) {
      return ['date', value.getTime()];
    }
    if (value instanceof RegExp) {
      return ['regexp', String(value)];
    }
    this.#seen.set(value, this.#seen.size);
    if (Array.isArray(value)) {
      return value.map(item => this.#describe(item));
    }
    if (value instanceof Map || value instanceof Set) {
      return [value.constructor.name, [...value].map(item => this.#describe(item))];
    }
    const without = value instanceof Type ? NOT_OF_TYPES : undefined;
    return [
      // in their order, because columns in ORDER BY have an order
      Reflect.ownKeys(value)
        .filter(key => typeof key === 'symbol' || !without?.has(key))
        .map(key => [nameOf(key), this.#describe((value as Record<PropertyKey, unknown>)[key])]),
      this.#ofCode(value),
    ];
  }

  /** The methods of an object's classes. */
  #ofCode(value: object): unknown[] {
    const code: unknown[] = [];
    for (
      let prototype = Object.getPrototypeOf(value);
      prototype && prototype !== Object.prototype;
      prototype = Object.getPrototypeOf(prototype)
    ) {
      let text = texts.get(prototype);
      if (text === undefined) {
        const descriptors = Object.getOwnPropertyDescriptors(prototype);
        text = hash(
          'sha256',
          Reflect.ownKeys(descriptors)
            .map(key => {
              const { value: method, get, set } = descriptors[key as string]!;
              return `${nameOf(key)} ${typeof method === 'function' ? method : ''} ${get} ${set}`;
            })
            .join('\n'),
          'base64url',
        );
        texts.set(prototype, text);
      }
      code.push(text);
    }
    return code;
  }
}

type Code = ((...args: never[]) => unknown) & { readonly prototype?: unknown };

const SQL_OF_TYPES = ['convertToJSValueSQL', 'convertToDatabaseValueSQL'] as const;

/** Functions that the ORM makes of formulas given as texts, and of relations through other relations. */
const FORMULAS_OF_ORM = [
  /^\(\) => formula$/,
  /^table => `\$\{table\}\.\$\{this\.#platform\.quoteIdentifier\(prop\.fieldNames\[0\]\)\}`$/,
  /^columns => this\.#platform\.getThroughRelationFormula\(prop, columns\)$/,
];
const { convertToJSValueSQL, convertToDatabaseValueSQL } = JsonType.prototype;
const CODE_OF_ORM = new Set<unknown>([convertToJSValueSQL, convertToDatabaseValueSQL]);

/** Such code depends on nothing but the metadata. */
function isOfOrm(code: object): boolean {
  return CODE_OF_ORM.has(code) || FORMULAS_OF_ORM.some(text => text.test(String(code)));
}

const WARNING =
  'gives no SQL, or other SQL each time, so this process shares no results with others. ' +
  'Let it depend on nothing but its parameters and on fields that do not change.';

/** By prototype: their methods do not change after discovery. */
const texts = new WeakMap<object, string>();

/** Each process numbers the symbols of raw fragments by itself. */
function nameOf(key: PropertyKey): string {
  return typeof key === 'symbol' ? `@${key.description?.replace(/#\d+/g, '#')}` : String(key);
}

interface FormulaDriver {
  evaluateFormula(formula: unknown, columns: unknown, table: unknown): string;
  createFormulaTable(alias: string, meta: EntityMetadata): unknown;
}
