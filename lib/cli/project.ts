import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { list } from '../config/check.js';
import type { EntityNames } from '../config/pattern.js';
import type { ErrorEvent } from '../observability/events.js';
import { type Cacheops, getCacheops } from '../orm/api/handle.js';
import { STORE } from '../orm/context/extension_keys.js';
import type { Store } from '../store/store.js';
import type { Output } from './output.js';
import { UsageError } from './usage.js';

/** The ORM of the project in the working directory. */
export interface Project extends AsyncDisposable {
  readonly orm: MikroORM<any>;
  readonly cache: Cacheops;
  readonly store: Store;
  readonly entities: readonly EntityNames[];
  /** errors of the cache since the command started */
  readonly errors: readonly ErrorEvent[];
  meta(className: string): EntityMetadata;
}

export interface ProjectOptions {
  readonly config: string | undefined;
  readonly context: string | undefined;
}

/** @throws UsageError without @mikro-orm/cli; the ORM's errors if the configuration is missing or wrong */
export async function openProject({ config, context }: ProjectOptions, output: Output): Promise<Project> {
  const { CLIHelper } = await import('@mikro-orm/cli').catch(cause => {
    throw new UsageError(
      "@mikro-orm/cli cannot be loaded; it is needed to find the configuration. Try 'npm install --save-dev @mikro-orm/cli'.",
      { cause },
    );
  });
  await supportTypeScript(CLIHelper);
  const paths = config === undefined ? await CLIHelper.getConfigPaths() : [config];
  if (!(await existsOneOf(paths))) {
    throw new Error(
      `There is no configuration of MikroORM: looked for ${list(paths)}. Change to the project's folder, or give --config.`,
    );
  }
  const orm = await CLIHelper.getORM(context, [...paths], {
    logger: message => output.note(message),
  });
  try {
    return describe(orm);
  } catch (error) {
    await orm.close(true);
    throw error;
  }
}

function describe(orm: MikroORM<any>): Project {
  const cache = getCacheops(orm);
  const store = orm.config.getExtension<Store>(STORE)!;
  const metas = [...orm.getMetadata().getAll().values()].filter(
    meta => !meta.pivotTable && !meta.embeddable && !!meta.tableName,
  );
  const errors: ErrorEvent[] = [];
  cache.events.on('error', error => errors.push(error));
  return {
    orm,
    cache,
    store,
    errors,
    entities: metas.map(({ className, tableName, schema = 'public' }) => ({ className, tableName, schema })),
    meta: className => metas.find(meta => meta.className === className)!,
    async [Symbol.asyncDispose]() {
      await orm.close(true);
    },
  };
}

type Helper = typeof import('@mikro-orm/cli').CLIHelper;

/**
 * Like `mikro-orm`, uses a TypeScript loader of the project. Without a loader, a configuration in JavaScript is used;
 * and without that, Node.js itself runs most TypeScript.
 */
async function supportTypeScript(helper: Helper): Promise<void> {
  const { preferTs, tsConfigPath, tsLoader } = helper.getSettings();
  if (preferTs === false || (await loadTypeScript(helper, tsConfigPath, tsLoader))) {
    return;
  }
  process.env.MIKRO_ORM_CLI_PREFER_TS ??= '0';
  if (process.features.typescript && !(await existsOneOf(await helper.getConfigPaths()))) {
    process.env.MIKRO_ORM_CLI_PREFER_TS = '1';
  }
}

async function existsOneOf(paths: readonly string[]): Promise<boolean> {
  const { fs } = await import('@mikro-orm/core/fs-utils');
  return paths.some(path => fs.pathExists(fs.absolutePath(path)));
}

/** Without the helper's warning about a missing loader, because most projects in JavaScript have none. */
async function loadTypeScript(
  helper: Helper,
  ...given: Parameters<Helper['registerTypeScriptSupport']>
): Promise<boolean> {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await helper.registerTypeScriptSupport(...given);
  } finally {
    console.warn = warn;
  }
}
